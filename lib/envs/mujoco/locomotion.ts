import type { RandomStream } from "../random.ts";
import type { Robot } from "./robot.ts";
import { ant } from "./robots/ant.ts";
import { halfcheetah } from "./robots/halfcheetah.ts";
import { hopper } from "./robots/hopper.ts";
import { walker2d } from "./robots/walker2d.ts";
import type { Simulation } from "./simulation.ts";
import type { Task } from "./task.ts";

/**
 * One of gym's locomotion robots, as in its `-v2`, `-v3` and `-v4` environments. The reward is the
 * speed along x plus a healthy reward minus a control cost.
 */
interface Runner {
  readonly robot: Robot;
  /** Number of entries in `qpos`. */
  readonly positions: number;
  /** Number of entries in `qvel`. */
  readonly velocities: number;
  /** MuJoCo timesteps per environment step. */
  readonly frameSkip: number;
  /** Leading entries of `qpos` omitted from the observation: the robot's place on the ground. */
  readonly hiddenPositions: number;
  /** Observed velocities are clipped to ±`velocityClip`. */
  readonly velocityClip: number;
  /** Zeros at the end of the observation, for contact forces that mujoco-py 2 never computed. */
  readonly zeros: number;
  /** Position along x, in meters. */
  x(simulation: Simulation): number;
  /** Added to the reward of every step, including the last. */
  readonly healthyReward: number;
  /** Cost per unit of squared action, before the motor clips the action. */
  readonly controlCost: number;
  healthy(qpos: Float64Array, qvel: Float64Array): boolean;
  /** Half-width of the uniform noise on the initial positions. */
  readonly positionNoise: number;
  /** Draws the noise of one initial velocity. */
  velocityNoise(random: RandomStream): number;
}

const smallNoise = {
  positionNoise: 0.005,
  velocityNoise: (random: RandomStream) => random.uniform(-0.005, 0.005),
};

const largeNoise = {
  positionNoise: 0.1,
  velocityNoise: (random: RandomStream) => 0.1 * random.normal(),
};

const rootPosition = (simulation: Simulation): number => simulation.qpos[0]!;

/** World x of the first body after the world. It lags `qpos` by one timestep's integration. */
const torsoPosition = (simulation: Simulation): number => simulation.xpos[3]!;

const hopperRunner: Runner = {
  robot: hopper,
  positions: 6,
  velocities: 6,
  frameSkip: 4,
  hiddenPositions: 1,
  velocityClip: 10,
  zeros: 0,
  x: rootPosition,
  healthyReward: 1,
  controlCost: 0.001,
  healthy(qpos, qvel) {
    const [height, angle] = [qpos[1]!, qpos[2]!];
    const bounded = (value: number) => Math.abs(value) < 100;
    return height > 0.7 && Math.abs(angle) < 0.2 && Number.isFinite(height) &&
      Number.isFinite(qpos[0]) && qpos.subarray(2).every(bounded) && qvel.every(bounded);
  },
  ...smallNoise,
};

const walker2dRunner: Runner = {
  robot: walker2d,
  positions: 9,
  velocities: 9,
  frameSkip: 4,
  hiddenPositions: 1,
  velocityClip: 10,
  zeros: 0,
  x: rootPosition,
  healthyReward: 1,
  controlCost: 0.001,
  healthy(qpos) {
    const [height, angle] = [qpos[1]!, qpos[2]!];
    return height > 0.8 && height < 2 && Math.abs(angle) < 1;
  },
  ...smallNoise,
};

const halfcheetahRunner: Runner = {
  robot: halfcheetah,
  positions: 9,
  velocities: 9,
  frameSkip: 5,
  hiddenPositions: 1,
  velocityClip: Infinity,
  zeros: 0,
  x: rootPosition,
  healthyReward: 0,
  controlCost: 0.1,
  healthy: () => true,
  ...largeNoise,
};

const antRunner: Runner = {
  robot: ant,
  positions: 15,
  velocities: 14,
  frameSkip: 5,
  hiddenPositions: 2,
  velocityClip: Infinity,
  zeros: 84,
  x: torsoPosition,
  healthyReward: 1,
  controlCost: 0.5,
  healthy(qpos, qvel) {
    const height = qpos[2]!;
    return height >= 0.2 && height <= 1 && qpos.every(Number.isFinite) &&
      qvel.every(Number.isFinite);
  },
  ...largeNoise,
};

function runnerTask(runner: Runner): Task {
  const { robot, frameSkip, hiddenPositions, velocityClip, controlCost, healthyReward } = runner;
  const duration = frameSkip * robot.timestep;
  const positions = runner.positions - hiddenPositions;
  return {
    robot,
    memory: "256K",
    observationSize: positions + runner.velocities + runner.zeros,
    actionSize: robot.motors.length,
    maxEpisodeSteps: 1000,
    stateOf(observation) {
      const qpos = new Float64Array(runner.positions);
      // The ground is the same everywhere, so the place that is not observed does not matter.
      qpos.set(observation.subarray(0, positions), hiddenPositions);
      const qvel = observation.slice(positions, positions + runner.velocities);
      return qvel.some((speed) => Math.abs(speed) >= velocityClip) ? null : { qpos, qvel };
    },
    begin(simulation, random) {
      simulation.reset();
      const { qpos, qvel } = simulation;
      const noise = runner.positionNoise;
      qpos.forEach((initial, i) => qpos[i] = initial + random.uniform(-noise, noise));
      qvel.forEach((initial, i) => qvel[i] = initial + runner.velocityNoise(random));
      simulation.forward();
      return {
        step(action) {
          const before = runner.x(simulation);
          simulation.ctrl.set(action);
          simulation.step(frameSkip);
          const speed = (runner.x(simulation) - before) / duration;
          const effort = action.reduce((sum, control) => sum + control * control, 0);
          return {
            reward: speed + healthyReward - controlCost * effort,
            terminated: !runner.healthy(simulation.qpos, simulation.qvel),
          };
        },
        observe(into) {
          const { qpos, qvel } = simulation;
          into.set(qpos.subarray(hiddenPositions));
          for (let i = 0; i < qvel.length; i++) {
            into[positions + i] = Math.max(-velocityClip, Math.min(velocityClip, qvel[i]!));
          }
          into.fill(0, positions + qvel.length);
        },
      };
    },
  };
}

/**
 * gym's locomotion robots by name. `ant-v4` is the ant without contact forces in its observation.
 */
export const locomotion: ReadonlyMap<string, Task> = new Map([
  ["hopper", runnerTask(hopperRunner)],
  ["walker2d", runnerTask(walker2dRunner)],
  ["halfcheetah", runnerTask(halfcheetahRunner)],
  ["ant", runnerTask(antRunner)],
  ["ant-v4", runnerTask({ ...antRunner, zeros: 0 })],
]);
