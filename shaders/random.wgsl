// Counter-based random numbers: each is a function of (seed, stream, step, index), computed by the
// Threefry-2x32 generator with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", 2011). lib/autodiff/random.ts implements the same generator on the CPU.

fn mix_words(x: vec2u, rotation: u32) -> vec2u {
  let sum = x.x + x.y;
  return vec2u(sum, ((x.y << rotation) | (x.y >> (32u - rotation))) ^ sum);
}

fn threefry(key: vec2u, counter: vec2u) -> vec2u {
  let parity = 0x1BD11BDAu ^ key.x ^ key.y;
  var x = counter + key;
  x = mix_words(mix_words(mix_words(mix_words(x, 13u), 15u), 26u), 6u) + vec2u(key.y, parity + 1u);
  x = mix_words(mix_words(mix_words(mix_words(x, 17u), 29u), 16u), 24u) + vec2u(parity, key.x + 2u);
  x = mix_words(mix_words(mix_words(mix_words(x, 13u), 15u), 26u), 6u) + vec2u(key.x, key.y + 3u);
  x = mix_words(mix_words(mix_words(mix_words(x, 17u), 29u), 16u), 24u) + vec2u(key.y, parity + 4u);
  x = mix_words(mix_words(mix_words(mix_words(x, 13u), 15u), 26u), 6u) + vec2u(parity, key.x + 5u);
  return x;
}

// Returns four random words: entries 4 index to 4 index + 3 of a stream at step `number`.
fn random_words(seed: u32, stream: u32, number: u32, index: u32) -> vec4u {
  let key = vec2u(seed, stream);
  return vec4u(
    threefry(key, vec2u(2u * index, number)),
    threefry(key, vec2u(2u * index + 1u, number)),
  );
}

// Uniform in [0, 1), in multiples of 2^-24.
fn uniform_from(words: vec4u) -> vec4f {
  return vec4f(words >> vec4u(8u)) * 0x1p-24;
}

// 1 where an entry is kept (its word is at most `highest`), 0 where it is dropped.
fn keep_from(words: vec4u, highest: u32) -> vec4f {
  return select(vec4f(0.0), vec4f(1.0), words <= vec4u(highest));
}
