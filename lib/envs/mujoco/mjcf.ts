import type { Body, Contact, Geom, Joint, Robot } from "./robot.ts";

/**
 * The MuJoCo physics that a model reproduces. Two changes in how MuJoCo compiles a model separate
 * results published on different releases. A model can be written so that the current release
 * reproduces the older behavior:
 *
 * - `mjpy`: MuJoCo up to 2.1.0 (mujoco-py), used by D4RL and gym's `-v2` and `-v3` environments.
 * - `mj22`: MuJoCo 2.1.1 to 3.4, used by the `-v4` environments.
 */
export type Profile = "mjpy" | "mj22";

const attribute = (value: number | readonly number[]): string =>
  typeof value === "number" ? `${value}` : value.join(" ");

function element(name: string, attributes: Record<string, string | number | readonly number[]>) {
  const written = Object.entries(attributes).map(([key, value]) =>
    `${key}="${typeof value === "string" ? value : attribute(value)}"`
  );
  return `<${name} ${written.join(" ")}/>`;
}

const jointElement = (joint: Joint): string =>
  joint.type === "free" ? element("freejoint", { name: joint.name }) : element("joint", {
    name: joint.name,
    type: joint.type,
    pos: joint.pos ?? [0, 0, 0],
    axis: joint.axis ?? [0, 0, 1],
    limited: joint.range ? "true" : "false",
    range: joint.range ?? [0, 0],
    ref: joint.reference ?? 0,
    stiffness: joint.stiffness ?? 0,
    damping: joint.damping ?? 0,
    armature: joint.armature ?? 0,
  });

/**
 * Writes one geom. Since MuJoCo 3.5 the margins of two touching geoms add up; before, the larger
 * one counted. All geoms of a robot share one margin, so half of it on each gives the old distance.
 */
function geomElements(geom: Geom, contact: Contact, profile: Profile, touchedBy: string): string {
  const placed = {
    type: geom.type,
    pos: geom.pos ?? [0, 0, 0],
    quat: geom.quat ?? [1, 0, 0, 0],
  };
  const oldCapsule = profile === "mjpy" && geom.type === "capsule";
  const shape = element("geom", {
    name: geom.name,
    ...placed,
    size: geom.size,
    friction: geom.friction ?? contact.friction,
    condim: geom.dimensions ?? contact.dimensions,
    solimp: contact.impedance,
    margin: contact.margin / 2,
    contype: 1,
    conaffinity: touchedBy,
    ...(oldCapsule ? { mass: 0 } : {}),
  });
  return oldCapsule ? shape + cylinderOfCapsule(geom, placed) : shape;
}

/**
 * Up to MuJoCo 2.1.0 a capsule had the mass and inertia of a cylinder that is half a radius longer
 * at each end. This cylinder carries them and takes part in no contacts.
 */
function cylinderOfCapsule(
  capsule: Geom,
  placed: { pos: readonly number[]; quat: readonly number[] },
): string {
  const [radius = 0, halfLength = 0] = capsule.size;
  return element("geom", {
    ...placed,
    type: "cylinder",
    size: [radius, halfLength + radius / 2],
    contype: 0,
    conaffinity: 0,
  });
}

function bodyElement(body: Body, robot: Robot, profile: Profile): string {
  const touchedBy = robot.selfCollision ? "1" : "0";
  return [
    `<body name="${body.name}" pos="${attribute(body.pos)}">`,
    ...body.joints.map(jointElement),
    ...body.geoms.map((geom) => geomElements(geom, robot.contact, profile, touchedBy)),
    ...body.children.map((child) => bodyElement(child, robot, profile)),
    "</body>",
  ].join("\n");
}

/**
 * Writes a robot's MuJoCo model (MJCF) with the physics of `profile`.
 *
 * @param memory MuJoCo's working memory per simulation, for example `256K`. The default takes 13.6
 * MB, which fills the WebAssembly heap after 150 simulations.
 */
export function mjcf(robot: Robot, profile: Profile, memory: string): string {
  const compiler = {
    angle: "radian",
    inertiafromgeom: "true",
    ...(robot.totalMass === undefined ? {} : { settotalmass: robot.totalMass }),
  };
  const option = {
    timestep: robot.timestep,
    integrator: robot.integrator,
    gravity: robot.gravity,
    ...(robot.solverIterations === undefined ? {} : { iterations: robot.solverIterations }),
  };
  const defaults = [
    element("geom", { density: robot.density }),
    element("joint", { solimplimit: robot.limitImpedance }),
  ];
  const motors = robot.motors.map(({ joint, gear, limit }) =>
    element("motor", { joint, gear, ctrllimited: "true", ctrlrange: [-limit, limit] })
  );
  return [
    `<mujoco model="${robot.name}">`,
    element("compiler", compiler),
    element("option", option),
    element("size", { memory }),
    `<default>${defaults.join("")}</default>`,
    "<worldbody>",
    ...robot.world.map((geom) => geomElements(geom, robot.contact, profile, "1")),
    bodyElement(robot.body, robot, profile),
    "</worldbody>",
    `<actuator>${motors.join("")}</actuator>`,
    "</mujoco>",
  ].join("\n");
}
