import { assertEquals } from "@std/assert";
import { suggestion } from "../lib/suggestion.ts";

const flags = [
  "seed",
  "seeds",
  "expectile",
  "target-rate",
  "critic-steps",
  "critic-learning-rate",
  "behavior-learning-rate",
  "policy-learning-rate",
];

Deno.test("suggestion() names the nearest word, counting two swapped letters as one difference", () => {
  assertEquals(suggestion("trian", ["train", "eval"]), ', did you mean "train"?');
  assertEquals(suggestion("expectil", flags, "--"), ", did you mean --expectile?");
  assertEquals(suggestion("critic-step", flags, "--"), ", did you mean --critic-steps?");
  assertEquals(suggestion("sed", flags, "--"), ", did you mean --seed?");
});

Deno.test("suggestion() names every word that a part matches, or the first if there are many", () => {
  const rates = "--critic-learning-rate, --behavior-learning-rate or --policy-learning-rate";
  assertEquals(suggestion("learning-rate", flags, "--"), `, did you mean ${rates}?`);
  assertEquals(suggestion("lerning-rate", flags, "--"), `, did you mean ${rates}?`);
  assertEquals(suggestion("steps", flags, "--"), ", did you mean --critic-steps?");
  assertEquals(
    suggestion("rate", ["a-rate", "b-rate"], "--"),
    ", did you mean --a-rate or --b-rate?",
  );
  assertEquals(
    suggestion("b", ["a-b", "b-c", "d-b", "e-b"]),
    ', did you mean "a-b", "b-c", "d-b", …?',
  );
});

Deno.test("suggestion() returns no suggestion if no word is near", () => {
  for (const word of ["frobnicate", "q", "", "_", "constructor", "no-out"]) {
    assertEquals(suggestion(word, flags, "--"), "", word);
  }
  assertEquals(suggestion("train", []), "");
});
