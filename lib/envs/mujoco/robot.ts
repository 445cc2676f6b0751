/**
 * Types of a robot description, from which a MuJoCo model is written.
 *
 * Units are SI, angles are in radians, quaternions are `[w, x, y, z]`, and positions are in the
 * parent body's frame. Omitted values are zero, the identity quaternion, or the robot's shared
 * value.
 *
 * @module
 */

/** A vector in three dimensions, for example a position or an axis. */
export type Vector3 = readonly [number, number, number];

/** A unit quaternion, scalar first. */
export type Quaternion = readonly [number, number, number, number];

/** MuJoCo's contact parameters of a geom. */
export interface Contact {
  /** Sliding, torsional and rolling friction. */
  readonly friction: Vector3;
  /** MuJoCo's `condim`: 1 for frictionless contacts, 3 for sliding friction. */
  readonly dimensions: 1 | 3;
  /** First three entries of MuJoCo's `solimp`; midpoint and power keep their defaults 0.5 and 2. */
  readonly impedance: Vector3;
  /**
   * Distance at which a contact becomes active. Before MuJoCo 3.5, the larger of two geoms'
   * margins.
   */
  readonly margin: number;
}

/** A joint. A free joint has only a name and a type. */
export interface Joint {
  /** Name, referenced by motors. */
  readonly name: string;
  /** Six degrees of freedom, a translation, or a rotation. */
  readonly type: "free" | "slide" | "hinge";
  /** A point on a hinge's axis. */
  readonly pos?: Vector3;
  /** Direction of the translation or of the rotation axis. */
  readonly axis?: Vector3;
  /** Lowest and highest position; absent for an unlimited joint. */
  readonly range?: readonly [number, number];
  /** Value of `qpos` in the model's initial pose. */
  readonly reference?: number;
  /** Spring constant towards zero, in N/m or N m/rad. */
  readonly stiffness?: number;
  /** Damping constant, in N s/m or N m s/rad. */
  readonly damping?: number;
  /** Rotor inertia of the motor. */
  readonly armature?: number;
}

/** A shape attached to a body. */
export interface Geom {
  /** Unique among the model's geoms. */
  readonly name: string;
  /** Shape; all but the plane have mass. */
  readonly type: "plane" | "sphere" | "capsule" | "box";
  /**
   * MuJoCo's `size`. Plane: half-sizes and grid spacing. Sphere: radius. Capsule: radius and
   * half-length. Box: half-sizes.
   */
  readonly size: readonly number[];
  /** Position of the center. */
  readonly pos?: Vector3;
  /** Orientation. A capsule's axis is its local z axis. */
  readonly quat?: Quaternion;
  /** Overrides the robot's contact friction. */
  readonly friction?: Vector3;
  /** Overrides the robot's contact dimensions. */
  readonly dimensions?: 1 | 3;
}

/** A rigid body and its children. */
export interface Body {
  /** Unique among the model's bodies. */
  readonly name: string;
  /** Position of its frame in the parent's frame. */
  readonly pos: Vector3;
  /** Joints to the parent. Without one the body is fixed to its parent. */
  readonly joints: readonly Joint[];
  /** The body's shapes. */
  readonly geoms: readonly Geom[];
  /** Child bodies. */
  readonly children: readonly Body[];
}

/** A motor: torque or force on one joint. */
export interface Motor {
  /** Name of the driven joint. */
  readonly joint: string;
  /** Force in N, or torque in N m, per unit of control. */
  readonly gear: number;
  /** The control is clipped to ±`limit`. */
  readonly limit: number;
}

/** A robot and the ground or walls around it. */
export interface Robot {
  /** Name of the model. */
  readonly name: string;
  /** Timestep in seconds. */
  readonly timestep: number;
  /** Fourth-order Runge-Kutta, or semi-implicit Euler. */
  readonly integrator: "RK4" | "Euler";
  /** Largest number of solver iterations; defaults to MuJoCo's 100. */
  readonly solverIterations?: number;
  /** Gravity in m/s². */
  readonly gravity: Vector3;
  /** Density of the geoms in kg/m³. */
  readonly density: number;
  /** If present, masses and inertias are rescaled to this total mass in kg. */
  readonly totalMass?: number;
  /** Contact parameters of all geoms that do not override them. */
  readonly contact: Contact;
  /** Whether the robot's geoms collide with each other as well as with the world. */
  readonly selfCollision: boolean;
  /** MuJoCo's `solimp` of the joint limits. */
  readonly limitImpedance: Vector3;
  /** Geoms of the world. */
  readonly world: readonly Geom[];
  /** Root body. */
  readonly body: Body;
  /** Motors, in the order of the action's entries. */
  readonly motors: readonly Motor[];
}
