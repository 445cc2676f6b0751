// Measures the peak rate of multiply-adds: three vec4 chains (12 f32) per invocation, without
// loads.

struct Job {
  rounds: u32,
  factor: f32,
  summand: f32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read_write> written: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let factor = vec4f(job.factor);
  let summand = vec4f(job.summand);
  var x = vec4f(f32(lane));
  var y = x + 1.0;
  var z = x + 2.0;
  for (var round = 0u; round < job.rounds; round++) {
    // Unrolled eight times, so that the loop overhead is negligible.
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
    x = fma(x, factor, summand);
    y = fma(y, factor, summand);
    z = fma(z, factor, summand);
  }
  written[work.y * 256u + lane] = x + y + z;
}
