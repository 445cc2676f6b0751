/**
 * The form of a robot's parameter sheet: what a MuJoCo model is written from.
 *
 * Units are SI, angles radians, quaternions `[w, x, y, z]`, positions in the parent body's frame. What a
 * part leaves out is zero, the unit quaternion, or the sheet's common value.
 *
 * @module
 */

/** A vector in three dimensions, for example a position or an axis. */
export type Vector3 = readonly [number, number, number];

/** A unit quaternion, scalar first. */
export type Quaternion = readonly [number, number, number, number];

/** How a geom meets another one: MuJoCo's contact parameters. */
export interface Contact {
  /** Sliding, torsional and rolling friction. */
  readonly friction: Vector3;
  /** Dimensions of the contact: 1 frictionless, 3 with sliding friction. */
  readonly dimensions: 1 | 3;
  /** MuJoCo's `solimp`: the constraint's impedance over depth (its power and midpoint stay 2, 0.5). */
  readonly impedance: Vector3;
  /** Distance at which a contact becomes active: the larger of two geoms' margins, MuJoCo < 3.5. */
  readonly margin: number;
}

/** A joint; a free joint has none of the optional numbers. */
export interface Joint {
  readonly name: string;
  readonly type: "free" | "slide" | "hinge";
  readonly pos?: Vector3;
  readonly axis?: Vector3;
  /** Lowest and highest position; absent on an unlimited joint. */
  readonly range?: readonly [number, number];
  /** Position that `qpos` has in the model's initial pose. */
  readonly reference?: number;
  readonly stiffness?: number;
  readonly damping?: number;
  readonly armature?: number;
  readonly margin?: number;
}

/** A shape attached to a body. */
export interface Geom {
  readonly name: string;
  readonly type: "plane" | "sphere" | "capsule" | "box";
  /** MuJoCo's sizes of the type: plane's half-sizes and grid, radius, radius and half-length, half-sizes. */
  readonly size: readonly number[];
  readonly pos?: Vector3;
  readonly quat?: Quaternion;
  /** Where the friction differs from the sheet's. */
  readonly friction?: Vector3;
  /** Where the contact's dimensions differ from the sheet's. */
  readonly dimensions?: 1 | 3;
}

/** A rigid body and what hangs on it. */
export interface Body {
  readonly name: string;
  readonly pos: Vector3;
  readonly joints: readonly Joint[];
  readonly geoms: readonly Geom[];
  readonly children: readonly Body[];
}

/** A motor: torque or force on one joint. */
export interface Motor {
  readonly joint: string;
  /** Newton (metre) per unit of control. */
  readonly gear: number;
  /** The control is clipped to ± this. */
  readonly limit: number;
}

/** A robot and the ground or walls it stands on. */
export interface Robot {
  readonly name: string;
  /** Seconds. */
  readonly timestep: number;
  readonly integrator: "RK4" | "Euler";
  /** Largest number of solver iterations; MuJoCo's 100 when absent. */
  readonly solverIterations?: number;
  /** m/s². */
  readonly gravity: Vector3;
  /** kg/m³. */
  readonly density: number;
  /** Masses and inertias are rescaled to this total in kg; absent where they stay as they are. */
  readonly totalMass?: number;
  readonly contact: Contact;
  /** The robot's geoms touch each other, not only the world. */
  readonly selfCollision: boolean;
  /** MuJoCo's `solimp` of the joint limits. */
  readonly limitImpedance: Vector3;
  /** Geoms of the world. */
  readonly world: readonly Geom[];
  readonly body: Body;
  readonly motors: readonly Motor[];
}
