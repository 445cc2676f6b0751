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
  /** What motors call it. */
  readonly name: string;
  /** Six degrees of freedom, a translation, or a rotation. */
  readonly type: "free" | "slide" | "hinge";
  /** Where a hinge's axis passes through. */
  readonly pos?: Vector3;
  /** Direction of the translation, or of the rotation's axis. */
  readonly axis?: Vector3;
  /** Lowest and highest position; absent on an unlimited joint. */
  readonly range?: readonly [number, number];
  /** Position that `qpos` has in the model's initial pose. */
  readonly reference?: number;
  /** Spring towards zero: N/m, or N m/rad. */
  readonly stiffness?: number;
  /** Force against the velocity: N s/m, or N m s/rad. */
  readonly damping?: number;
  /** Inertia of the motor's rotor. */
  readonly armature?: number;
}

/** A shape attached to a body. */
export interface Geom {
  /** Unique among the model's geoms. */
  readonly name: string;
  /** Its form; all but the plane have mass. */
  readonly type: "plane" | "sphere" | "capsule" | "box";
  /** MuJoCo's sizes of the type: plane's half-sizes and grid, radius, radius and half-length, half-sizes. */
  readonly size: readonly number[];
  /** Its centre. */
  readonly pos?: Vector3;
  /** Its orientation: a capsule lies along its own z axis. */
  readonly quat?: Quaternion;
  /** Where the friction differs from the sheet's. */
  readonly friction?: Vector3;
  /** Where the contact's dimensions differ from the sheet's. */
  readonly dimensions?: 1 | 3;
}

/** A rigid body and what hangs on it. */
export interface Body {
  /** Unique among the model's bodies. */
  readonly name: string;
  /** Where its frame lies in its parent's. */
  readonly pos: Vector3;
  /** How it moves against its parent; not at all without a joint. */
  readonly joints: readonly Joint[];
  /** What it is made of. */
  readonly geoms: readonly Geom[];
  /** The bodies that hang on it. */
  readonly children: readonly Body[];
}

/** A motor: torque or force on one joint. */
export interface Motor {
  /** The joint it drives. */
  readonly joint: string;
  /** Newton (metre) per unit of control. */
  readonly gear: number;
  /** The control is clipped to ± this. */
  readonly limit: number;
}

/** A robot and the ground or walls it stands on. */
export interface Robot {
  /** The model's name. */
  readonly name: string;
  /** Seconds. */
  readonly timestep: number;
  /** Runge-Kutta of fourth order, or semi-implicit Euler. */
  readonly integrator: "RK4" | "Euler";
  /** Largest number of solver iterations; MuJoCo's 100 when absent. */
  readonly solverIterations?: number;
  /** m/s². */
  readonly gravity: Vector3;
  /** kg/m³. */
  readonly density: number;
  /** Masses and inertias are rescaled to this total in kg; absent where they stay as they are. */
  readonly totalMass?: number;
  /** Contact parameters that all geoms share where they do not say otherwise. */
  readonly contact: Contact;
  /** The robot's geoms touch each other, not only the world. */
  readonly selfCollision: boolean;
  /** MuJoCo's `solimp` of the joint limits. */
  readonly limitImpedance: Vector3;
  /** Geoms of the world. */
  readonly world: readonly Geom[];
  /** The body everything else hangs on. */
  readonly body: Body;
  /** In the order of an action's entries. */
  readonly motors: readonly Motor[];
}
