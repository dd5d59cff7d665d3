// Namespaces, enumerations, and modules of several files.
// --- path: geo.ts ---
export namespace Geo {
  //             ^^^ defines namespace Geo
  export interface Point {
    //             ^^^^^ defines interface Geo.Point
    x: number;
  }
  const origin = 0;
  export namespace Flat.Inner {
    //             ^^^^ defines namespace Geo.Flat
    //                  ^^^^^ defines namespace Geo.Flat.Inner
    export const area = origin;
    //           ^^^^ defines constant Geo.Flat.Inner.area
    //                  ^^^^^^ resolves geo.ts:Geo.origin
  }
}
export namespace Geo {
  export function at(): Point {
    //                  ^^^^^ refers type; resolves geo.ts:Geo.Point
    return { x: Flat.Inner.area };
    //          ^^^^ refers read; resolves geo.ts:Geo.Flat
    //                     ^^^^ resolves geo.ts:Geo.Flat.Inner.area
  }
}
export enum Axis {
  //        ^^^^ defines enum Axis
  X = 1,
  // <- defines enum_member Axis.X
  Y = X << 1,
  //  ^ resolves geo.ts:Axis.X
  "dashed-name",
}
export default interface Shape {
  //                     ^^^^^ defines interface Shape
  axis: Axis.X;
  //    ^^^^ refers read; resolves geo.ts:Axis
  //         ^ refers type; resolves geo.ts:Axis.X
}
export abstract class Figure {}
export type { Figure as Form };
//            ^^^^^^ refers export; resolves geo.ts:Figure
// --- path: whole.ts ---
class Whole {
  run() {}
}
export = Whole;
//       ^^^^^ refers export; resolves whole.ts:Whole
// --- path: types/globals.d.ts ---
declare const BUILD: { mode: Mode };
//            ^^^^^ defines constant BUILD
type Mode = "fast" | "slow";
interface Plugin {
  setup(): void;
}
declare function register(plugin: Plugin): void;
// --- path: types/module.d.ts ---
export declare function own(): void;
// --- path: main.ts ---
import type Shape from "./geo";
//          ^^^^^ refers import; resolves geo.ts:Shape
import { Geo, type Axis, Form } from "./geo.js";
//       ^^^ refers import; resolves geo.ts:Geo
//                 ^^^^ refers import; resolves geo.ts:Axis
//                       ^^^^ refers import; resolves geo.ts:Figure
import Whole = require("./whole");
//                     ^^^^^^^^^ refers import; resolves whole.ts:1
import Flat = Geo.Flat;
//     ^^^^ defines constant Flat
//                ^^^^ refers read; resolves geo.ts:Geo.Flat

declare module "outer" {
  //            ^^^^^ defines namespace outer
  export function ambient(): void;
}

function draw(shape: Shape, point: Geo.Point, form: Form) {
  //                 ^^^^^ refers type; resolves geo.ts:Shape
  //                               ^^^ refers read; resolves geo.ts:Geo
  //                                   ^^^^^ refers type; resolves geo.ts:Geo.Point
  //                                                ^^^^ refers type; resolves geo.ts:Figure
  shape.axis;
  //    ^^^^ resolves geo.ts:Shape.axis
  Geo.at().x;
  //  ^^ refers call; resolves geo.ts:Geo.at
  //       ^ resolves geo.ts:Geo.Point.x
  Axis.Y;
  //   ^ refers read; resolves geo.ts:Axis.Y
  Flat.Inner.area;
  //   ^^^^^ resolves geo.ts:Geo.Flat.Inner
  register(null as Plugin);
  // <- refers call; resolves types/globals.d.ts:register
  //               ^^^^^^ refers type; resolves types/globals.d.ts:Plugin
  BUILD.mode;
  // <- refers read; resolves types/globals.d.ts:BUILD
  own();
  // <- resolves nothing
  new Whole().run();
  //  ^^^^^ refers construct; resolves whole.ts:Whole
  //          ^^^ refers call; resolves whole.ts:Whole.run
}
