// The current step: its number, its row in the metrics ring buffer, and scalars that the host
// computed in double precision (learning rates, bias corrections).

struct Step {
  number: u32,
  row: u32,
  scalars: array<vec4f, 15>,
}

@group(1) @binding(0) var<uniform> step_: Step;

fn scalar(index: u32) -> f32 {
  return step_.scalars[index / 4u][index % 4u];
}
