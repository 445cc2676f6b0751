// Sums over the invocations of a workgroup in a fixed tree order, so the result is deterministic.

override WORKGROUP = 256u;

var<workgroup> partial: array<vec4f, WORKGROUP>;

fn reduce(value: vec4f, lane: u32) -> vec4f {
  workgroupBarrier();
  partial[lane] = value;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
  }
  workgroupBarrier();
  return partial[0];
}
