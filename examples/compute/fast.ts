import {
  ApiError,
  dataReply,
  errorReply,
  invalidParameter,
  parseObject,
  type Reply,
} from "./reply.ts";

/** Numbers of one request; more are refused. */
const NUMBERS_MAX = 100;
/** The largest magnitude of a number; a larger one is refused, since its square need not be finite. */
const MAGNITUDE_MAX = 1e100;

/** Answers POST /api/v1/compute/fast, in microseconds: `{"numbers": [1, 2, 3]}` has a mean and a variance. */
export function fastReply(body: string): Reply {
  try {
    return dataReply(summarise(readNumbers(body)));
  } catch (error) {
    if (error instanceof ApiError) return errorReply(error);
    throw error;
  }
}

function readNumbers(body: string): number[] {
  const { numbers } = parseObject(body);
  if (!Array.isArray(numbers) || numbers.length < 1 || numbers.length > NUMBERS_MAX) {
    throw invalidParameter("numbers", `give a list of 1 to ${NUMBERS_MAX} numbers`);
  }
  const wrong = numbers.findIndex((number) =>
    !(typeof number === "number" && Math.abs(number) <= MAGNITUDE_MAX)
  );
  if (wrong >= 0) {
    throw invalidParameter(
      `numbers[${wrong}]`,
      `give a number from -${MAGNITUDE_MAX} to ${MAGNITUDE_MAX}`,
    );
  }
  return numbers;
}

/** The variance is that of the population. */
function summarise(numbers: number[]): { count: number; mean: number; variance: number } {
  const count = numbers.length;
  let sum = 0, squares = 0;
  for (const number of numbers) sum += number;
  const mean = sum / count;
  for (const number of numbers) squares += (number - mean) ** 2;
  return { count, mean, variance: squares / count };
}
