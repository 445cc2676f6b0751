/**
 * exp, log, sin and cos, correctly rounded.
 *
 * JavaScript leaves the last bit of these functions to the engine: on one processor, Deno's and
 * Chromium's differ in one of a thousand arguments. An environment that used `Math.sin` would play
 * different episodes in a browser. Here they are sums of their Taylor series in double-double
 * arithmetic (Dekker, 1971), of about 100 bits, rounded once, so every engine gets the same bits. A
 * call takes about a microsecond.
 *
 * @module
 */

/** 2^27 + 1 splits a double into two halves of 26 bits. */
const splitter = 134217729;

/**
 * The latest result of the functions below is `high + low`, with |low| at most half an ulp of high.
 */
let high = 0;
let low = 0;

/** Sets the result to a + b, exactly. */
function add(a: number, b: number): void {
  high = a + b;
  const rest = high - a;
  low = (a - (high - rest)) + (b - rest);
}

/** Sets the result to a · b, exactly. */
function multiply(a: number, b: number): void {
  high = a * b;
  const [aBig, bBig] = [splitter * a, splitter * b];
  const [aHigh, bHigh] = [aBig - (aBig - a), bBig - (bBig - b)];
  const [aLow, bLow] = [a - aHigh, b - bHigh];
  low = ((aHigh * bHigh - high) + aHigh * bLow + aLow * bHigh) + aLow * bLow;
}

/** Sets the result to (a + aLow) (b + bLow). */
function multiplyPairs(a: number, aLow: number, b: number, bLow: number): void {
  multiply(a, b);
  add(high, low + (a * bLow + aLow * b));
}

/** Sets the result to (a + aLow) + (b + bLow). */
function addPairs(a: number, aLow: number, b: number, bLow: number): void {
  add(a, b);
  const [sum, rest] = [high, low];
  add(aLow, bLow);
  const lowest = low;
  add(sum, rest + high);
  add(high, low + lowest);
}

/** Coefficients of a polynomial in double-double, the constant first. */
interface Series {
  readonly high: Float64Array;
  readonly low: Float64Array;
}

/** Returns the series of ± 1 / n! for the given n. */
function inverseFactorials(numbers: readonly number[], alternating: boolean): Series {
  const series = {
    high: new Float64Array(numbers.length),
    low: new Float64Array(numbers.length),
  };
  numbers.forEach((n, place) => {
    [high, low] = [1, 0];
    for (let factor = 2; factor <= n; factor++) {
      // high + low divided by the factor, by long division.
      const quotient = high / factor;
      const [before, rest] = [high, low];
      multiply(quotient, factor);
      add(quotient, ((before - high) - low + rest) / factor);
    }
    const sign = alternating && place % 2 === 1 ? -1 : 1;
    series.high[place] = sign * high;
    series.low[place] = sign * low;
  });
  return series;
}

const terms = (count: number, term: (place: number) => number) =>
  Array.from({ length: count }, (_, place) => term(place));
// Enough terms that the next one is below 2^-106 at the ends of the reduced ranges.
const expSeries = inverseFactorials(terms(24, (n) => n), false);
const sinSeries = inverseFactorials(terms(15, (n) => 2 * n + 1), true);
const cosSeries = inverseFactorials(terms(15, (n) => 2 * n), true);

/**
 * Sets the result to the polynomial at x + xLow, by Horner's rule. From the coefficient `small` on,
 * the terms are below 2^-53 of the sum and need no more than double precision.
 */
function evaluate(series: Series, small: number, x: number, xLow: number): void {
  let tail = 0;
  for (let place = series.high.length - 1; place >= small; place--) {
    tail = tail * x + series.high[place]!;
  }
  [high, low] = [tail, 0];
  for (let place = small - 1; place >= 0; place--) {
    multiplyPairs(high, low, x, xLow);
    addPairs(series.high[place]!, series.low[place]!, high, low);
  }
}

// ln 2 and π/2 in parts of few bits, whose products with small whole numbers are exact.
const ln2 = [0.6931471804855391, 7.44061711001209e-11, 3.061840736018652e-24] as const;
const halfPi = [1.5707963267341256, 6.077100506505136e-11, 1.0562999066987428e-23] as const;

/** Sets the result to x minus `count` times the constant that is the sum of the parts. */
function reduce(x: number, count: number, parts: readonly [number, number, number]): void {
  add(x - count * parts[0], -count * parts[1]);
  add(high, low - count * parts[2]);
}

const bits = new DataView(new ArrayBuffer(8));

/** Returns 2 to a whole number from −1022 to 1023. */
function powerOfTwo(exponent: number): number {
  bits.setInt32(0, (exponent + 1023) << 20);
  bits.setInt32(4, 0);
  return bits.getFloat64(0);
}

/** Sets the result to the exponential of x, up to a power of two, which it returns. */
function exponential(x: number): number {
  const count = Math.round(x / (ln2[0] + ln2[1]));
  reduce(x, count, ln2);
  evaluate(expSeries, 14, high, low);
  return powerOfTwo(count);
}

/** Returns e^x for x from −700 to 700. */
export function exp(x: number): number {
  const scale = exponential(x);
  return high * scale;
}

/** Returns ln x for x from 1e-300 to 1e300. */
export function log(x: number): number {
  // log x = y + log(1 + e), where y is the engine's logarithm and e = x exp(−y) − 1 is tiny.
  const y = Math.log(x);
  const scale = exponential(-y);
  multiplyPairs(high * scale, low * scale, x, 0);
  addPairs(high, low, -1, 0);
  const e = high;
  addPairs(y, 0, e, low - e * e / 2);
  return high;
}

/** Sets the result to the sine of x, or to its cosine. */
function sine(x: number, quarters: 0 | 1): void {
  const count = Math.round(x / (halfPi[0] + halfPi[1]));
  reduce(x, count, halfPi);
  const [r, rLow] = [high, low];
  multiplyPairs(r, rLow, r, rLow);
  const turned = (count + quarters) & 3;
  if (turned % 2 === 0) {
    evaluate(sinSeries, 9, high, low);
    multiplyPairs(high, low, r, rLow);
  } else evaluate(cosSeries, 9, high, low);
  if (turned >= 2) [high, low] = [-high, -low];
}

/** Returns the sine of an angle from −100 to 100. */
export function sin(x: number): number {
  sine(x, 0);
  return high;
}

/** Returns the cosine of an angle from −100 to 100. */
export function cos(x: number): number {
  sine(x, 1);
  return high;
}
