/**
 * SRPO for WebGPU: an autodiff engine, and Score Regularized Policy Optimization (arXiv 2310.07297)
 * and other offline RL algorithms built with it. A training step is described once, compiled to a
 * flat list of compute dispatches, and replayed.
 *
 * To train one of the algorithms, read data with {@linkcode loadDataset}, get an algorithm with
 * {@linkcode findAlgorithm}, and pass both to {@linkcode trainAlgorithm}. The result contains the
 * policy, and {@linkcode evaluateHere} plays it (`examples/own_reward.ts`). To build another
 * algorithm, write a value of type {@linkcode Algorithm} (`examples/behavior_cloning.ts`).
 *
 * The engine also works alone: describe a step in a {@linkcode Graph} with the operations exported
 * here, add an optimizer's update with {@linkcode minimize}, compile the graph with an
 * {@linkcode Engine}, and submit the {@linkcode Program} in chunks (`examples/regression.ts`).
 *
 * Importing this module needs no permissions. The HDF5 reader and MuJoCo are loaded on first use.
 * Functions that read or write files, and the environments, need Deno.
 *
 * @module
 */
export { UserError } from "./lib/errors.ts";

// The engine: describes, differentiates, compiles and replays a training step.
export { readTensor, writeInput } from "./lib/autodiff/compile.ts";
export { Engine } from "./lib/autodiff/engine.ts";
export type { Rates, VariantChoice, VariantMemory, VariantRates } from "./lib/autodiff/variants.ts";
export { gradients, type Objective } from "./lib/autodiff/gradients.ts";
export * from "./lib/autodiff/graph.ts";
export { type OperationName, registerOperation } from "./lib/autodiff/operations.ts";
export * from "./lib/autodiff/parameters.ts";
export { type ArenaMemory } from "./lib/autodiff/memory.ts";
export { ParameterStore, type StoredShape } from "./lib/autodiff/parameter_store.ts";
export { normal, uniform } from "./lib/autodiff/random.ts";
export * from "./lib/autodiff/tensor.ts";
export { type StepMetrics, TrainingStep } from "./lib/autodiff/training_step.ts";

// Operations.
export { argmax } from "./lib/autodiff/ops/argmax.ts";
export {
  broadcast,
  type BroadcastShape,
  mean,
  meanColumns,
  meanHeads,
  meanRows,
  sumColumns,
  sumHeads,
  sumRows,
} from "./lib/autodiff/ops/broadcast.ts";
export { concatenate } from "./lib/autodiff/ops/concatenate.ts";
export { type Draw, drawNormal, drawUniform } from "./lib/autodiff/ops/draw.ts";
export { type Dropout, dropout, type Keep } from "./lib/autodiff/ops/dropout.ts";
export {
  abs,
  type Activation,
  add,
  clip,
  cos,
  divide,
  exp,
  gelu,
  log,
  maximum,
  minimum,
  mish,
  multiply,
  relu,
  scale,
  shift,
  sigmoid,
  silu,
  sin,
  softplus,
  sqrt,
  subtract,
  tanh,
} from "./lib/autodiff/ops/entrywise.ts";
export { fourierFeatures, type Times } from "./lib/autodiff/ops/fourier_features.ts";
export { gatherRows } from "./lib/autodiff/ops/gather_rows.ts";
export { layerNorm, type LayerNormParameters } from "./lib/autodiff/ops/layer_norm.ts";
export { linear, type LinearParameters } from "./lib/autodiff/ops/linear.ts";
export { logSumExp } from "./lib/autodiff/ops/log_sum_exp.ts";
export {
  type BatchOrder,
  minibatch,
  type RecordField,
  type Records,
} from "./lib/autodiff/ops/minibatch.ts";
export { minimumOverHeads } from "./lib/autodiff/ops/minimum_over_heads.ts";
export { type Noise, noising } from "./lib/autodiff/ops/noising.ts";
export { globalNorm } from "./lib/autodiff/ops/norm.ts";
export { lossOf, report } from "./lib/autodiff/ops/report.ts";
export { reshape } from "./lib/autodiff/ops/reshape.ts";
export { slice } from "./lib/autodiff/ops/slice.ts";
export { softmax } from "./lib/autodiff/ops/softmax.ts";
export { diffusionLoss, meanSquaredError } from "./lib/autodiff/ops/squared_error.ts";

// Losses.
export {
  advantageWeightedLoss,
  type AdvantageWeights,
} from "./lib/algorithms/losses/advantage_weighted.ts";
export { expectileLoss } from "./lib/algorithms/losses/expectile.ts";
export {
  temporalDifferenceLoss,
  type Transition,
} from "./lib/algorithms/losses/temporal_difference.ts";
export {
  type ScoreRegularization,
  scoreRegularizedLoss,
  type ScoreTerms,
  type TimeWeight,
} from "./lib/algorithms/srpo/score_regularized_loss.ts";

// Networks and optimizers.
export * from "./lib/nn/initialization.ts";
export * from "./lib/nn/mlp.ts";
export * from "./lib/optim/adam.ts";
export * from "./lib/optim/average.ts";

// Algorithms as values, and how they are trained.
export * from "./lib/algorithms/algorithm.ts";
export * as hyperparameters from "./lib/algorithms/hyperparameters.ts";
export {
  type Hyperparameter,
  type HyperparameterRules,
  HyperparameterTable,
  type HyperparameterValue,
  type HyperparameterValues,
  type Preset,
  type TaskTraits,
  type ValueKind,
} from "./lib/algorithms/hyperparameters.ts";
export { algorithms, defaultAlgorithm, findAlgorithm } from "./lib/algorithms/registry.ts";
export { type AlgorithmRun, trainAlgorithm } from "./lib/runs/train_algorithm.ts";
export {
  type Metrics,
  type MetricsRow,
  readMetrics,
  type ReplicaName,
} from "./lib/runs/metrics.ts";
export {
  type EpisodeCount,
  type ProgressOutput,
  type ProgressState,
  standardError,
} from "./lib/runs/progress.ts";

// Data sets, on the host and on the GPU.
export {
  type D4rlTask,
  type Family,
  findTask,
  type OwnEnvironment,
  type OwnTask,
  type PaperScore,
  type Task,
} from "./lib/data/catalog.ts";
export { type DatasetOptions, loadDataset } from "./lib/data/dataset.ts";
export { readingOptions, taskOfOwn } from "./lib/data/own_task.ts";
export type { ColumnMoments } from "./lib/data/moments.ts";
export type { OfflineDataset, Source } from "./lib/data/offline_dataset.ts";
export * from "./lib/data/replay_buffer.ts";
export { type RewardColumns, type RewardRule, shapeRewards } from "./lib/data/rewards.ts";

// Checkpoints and other safetensors files, and what was trained.
export { encodeCheckpoints, readCheckpoint } from "./lib/runs/checkpoint.ts";
export { type Checkpoint, loadNetworks } from "./lib/runs/networks.ts";
export {
  decode as decodeSafetensors,
  type Dtype,
  encode as encodeSafetensors,
  type SafeTensor,
  type SafeTensors,
  type TensorData,
} from "./lib/runs/safetensors.ts";
export { openTrained, type Trained, type TrainedPolicy } from "./lib/runs/trained.ts";
export type { CriticParts, PolicyParts } from "./lib/algorithms/policy_parts.ts";

// Policies that act on the processor.
export { Mlp } from "./lib/nn/host/mlp.ts";
export type { Linear } from "./lib/nn/host/linear.ts";
export type { ActorFile } from "./lib/nn/host/actor.ts";
export type { ObservationNormalization } from "./lib/nn/host/normalization.ts";
export type { GraphActor } from "./lib/nn/graph_policy.ts";
export { type ActionBounds, scaledPolicy } from "./lib/nn/host/action_bounds.ts";
export {
  type Draws,
  networkPolicy,
  type Policy,
  type PolicyFacts,
  type RemotePolicy,
} from "./lib/nn/host/policy.ts";
export type { NamedTensors } from "./lib/nn/host/tensors.ts";
export type { Placeable } from "./lib/nn/placement.ts";

// Environments, and policies played in them.
export type {
  BatchStep,
  EnvironmentBatch,
  EnvironmentSpec,
  SimulatorState,
} from "./lib/envs/environment.ts";
export { type Bridge, evaluateHere } from "./lib/envs/evaluate_here.ts";
export {
  type EpisodeRecord,
  type Evaluation,
  type Spread,
  summarize,
} from "./lib/envs/evaluation.ts";
export type { Profile } from "./lib/envs/mujoco/mjcf.ts";
export { environmentIds, makeEnvironment } from "./lib/envs/registry.ts";
export { type Episode, rollout, type RolloutObserver } from "./lib/envs/rollout.ts";
export { type ReferenceReturn, referenceReturn } from "./lib/envs/scores.ts";
export { evaluationSeeds } from "./lib/envs/seeds.ts";

// The GPU layer.
export { type AdapterDescription, Gpu, GpuLostError } from "./lib/gpu/device.ts";
export { type Fingerprint } from "./lib/gpu/fingerprint.ts";
export * from "./lib/gpu/kernel.ts";
export * from "./lib/gpu/program.ts";
export type { Roofline } from "./lib/gpu/roofline.ts";
export type { Binding, JobField } from "./lib/gpu/shader.ts";
export * from "./lib/gpu/target.ts";
