// A sum over the invocations of a workgroup as a tree: the same order every time, the same bits.

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
