// Gathers one field of a minibatch from the data set. Row b of step k of an epoch is entry k B + b
// of the epoch's permutation of the transitions, so each transition is visited at most once per
// epoch. The remainder that does not fill a batch is dropped. The permutation is a keyed Feistel
// network over the next power of four; it is iterated until the result is inside the data set
// (cycle walking).
//
// The data set is stored in pages of whole records, one binding each: [state | action | reward
// terminal].

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // of the field, in vec4s
  transitions: u32, // entries of the permutation
  half_bits: u32,
  steps_per_epoch: u32,
  page_rows: u32,
  record_width: u32, // in vec4s
  field: u32, // first vec4 of the field in a record
  component: u32, // 4: whole vec4s; otherwise only this entry
  next: u32, // 1: gather from the next row's record
  seed: u32,
  stream: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;
@group(0) @binding(5) var<storage, read> transitions: array<u32>;
@group(0) @binding(6) var<storage, read> page0: array<vec4f>;
//#if PAGES2 || PAGES3 || PAGES4
@group(0) @binding(7) var<storage, read> page1: array<vec4f>;
//#endif
//#if PAGES3 || PAGES4
@group(0) @binding(8) var<storage, read> page2: array<vec4f>;
//#endif
//#if PAGES4
@group(0) @binding(9) var<storage, read> page3: array<vec4f>;
//#endif

fn scramble(word: u32) -> u32 {
  var x = word;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}

fn permuted(job: Job, index: u32, key: vec4u) -> u32 {
  let mask = (1u << job.half_bits) - 1u;
  var x = index;
  loop {
    var left = x >> job.half_bits;
    var right = x & mask;
    for (var round = 0u; round < 4u; round++) {
      let mixed = left ^ (scramble(right ^ key[round]) & mask);
      left = right;
      right = mixed;
    }
    x = (left << job.half_bits) | right;
    if (x < job.transitions) {
      break;
    }
  }
  return x;
}

fn record(job: Job, row: u32, column: u32) -> vec4f {
  let at = (row % job.page_rows) * job.record_width + column;
//#if PAGES2 || PAGES3 || PAGES4
  let page = row / job.page_rows;
  if (page == 1u) {
    return page1[at];
  }
//#endif
//#if PAGES3 || PAGES4
  if (page == 2u) {
    return page2[at];
  }
//#endif
//#if PAGES4
  if (page == 3u) {
    return page3[at];
  }
//#endif
  return page0[at];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let index = work.y * WORKGROUP + lane;
  let row = index / job.width;
  let column = index % job.width;
  if (row >= job.rows) {
    return;
  }
  let epoch = step_.number / job.steps_per_epoch;
  let key = random_words(job.seed, job.stream, epoch, 0u);
  let place = (step_.number % job.steps_per_epoch) * job.rows + row;
  let source = transitions[permuted(job, place, key)] + job.next;
  var value = record(job, source, job.field + column);
  if (job.component < 4u) {
    value = vec4f(value[job.component], 0.0, 0.0, 0.0);
  }
  activations[job.out + row * job.out_stride + column] = value;
}
