import { Turns } from "../event_loop.ts";
import type { Rejection } from "../domain/mod.ts";
import { PlanEncoder } from "../store/plan_encoder.ts";
import type { EncodedPlans, FeedValidators } from "../store/port.ts";
import type { TaskContext, WorkerPool } from "../workers/mod.ts";
import { type HttpFeed, readHttpFeed } from "./http_feed.ts";
import { REJECTIONS_AT_ONCE } from "./limits.ts";
import {
  FeedError,
  type FeedErrorCode,
  type FeedResult,
  ProviderError,
  type ProviderErrorCode,
} from "./provider.ts";

/** A feed to read in a thread. */
export interface FeedTask {
  feed: HttpFeed;
  validators: FeedValidators;
}

/** A part of what a feed lists. */
export interface FeedBatch {
  plans: EncodedPlans;
  rejections: Rejection[];
}

/** What came of it. The errors of this folder are answers here: a thread's error would lose its code on the way. */
export type FeedAnswer =
  | { kind: "read"; result: FeedResult }
  | { kind: "refused"; code: FeedErrorCode; message: string }
  | { kind: "failed"; code: ProviderErrorCode; message: string; isTransient: boolean };

/** A pool of threads that read feeds. */
export type FeedPool = WorkerPool<FeedTask, FeedAnswer, FeedBatch>;

/** Reads a feed in a thread of a {@linkcode FeedPool}; plans go over encoded, some hundreds at a time, and those set aside with them. */
export async function readFeedTask(
  { feed, validators }: FeedTask,
  context: TaskContext<FeedBatch>,
): Promise<FeedAnswer> {
  const encoder = new PlanEncoder();
  let rejections: Rejection[] = [];
  const hand = async () => {
    const plans = encoder.take();
    await context.send({ plans, rejections }, [plans.lines.buffer]);
    rejections = [];
  };
  try {
    const result = await readHttpFeed(feed, validators, {
      observe: (plan) => encoder.add(plan),
      reject: (rejection) => void rejections.push(rejection),
    }, {
      turns: new Turns(Infinity),
      onChunk: () => encoder.isFull || rejections.length >= REJECTIONS_AT_ONCE ? hand() : undefined,
    });
    await hand();
    return { kind: "read", result };
  } catch (error) {
    if (error instanceof FeedError) {
      return { kind: "refused", code: error.code, message: error.message };
    }
    if (error instanceof ProviderError) {
      const { code, message, isTransient } = error;
      return { kind: "failed", code, message, isTransient };
    }
    throw error;
  }
}
