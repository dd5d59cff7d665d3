// Types in every form, and the values whose types they carry.

class Box<T> {
  value: T;
  //     ^ refers type; resolves types.ts:3
  map<U>(change: (value: T) => U): Box<U> {
  //  ^ defines type_parameter U
    //                         ^ refers type; resolves types.ts:6
    //                             ^^^ refers type; resolves types.ts:Box
    return change(this.value) as any;
    //     ^^^^^^ resolves types.ts:6
  }
}
class Apple {
  bite() {}
}

type Fruit = Apple | Pear;
//           ^^^^^ refers type; resolves types.ts:Apple
//                   ^^^^ refers type; resolves types.ts:Pear
type Pear = { peel(): void };
type Keys = keyof Apple;
//                ^^^^^ refers type; resolves types.ts:Apple
type Element<T> = T extends Array<infer E> ? E : never;
//                                      ^ defines type_parameter E
//                                           ^ refers type; resolves types.ts:24
type Optional<T> = { [K in keyof T]?: T[K] };
//                    ^ defines type_parameter K
//                                      ^ refers type; resolves types.ts:27
type Handler = (fruit: Fruit, ...rest: Pear[]) => Promise<Apple>;
//              ^^^^^ defines parameter fruit
//                                                        ^^^^^ refers type; resolves types.ts:Apple
type Tuple = [first: Apple, second?: Pear];
//            ^^^^^ refers nothing
type Path = `on-${Keys}`;
//                ^^^^ refers type; resolves types.ts:Keys

const apple = new Box<Apple>().value;
//                ^^^ refers construct; resolves types.ts:Box
//                    ^^^^^ refers type; resolves types.ts:Apple
const defaults = { size: new Apple() };
type Defaults = typeof defaults;
//                     ^^^^^^^^ refers read; resolves types.ts:defaults

function isPear(fruit: Fruit): fruit is Pear {
  //                           ^^^^^ refers read; resolves types.ts:45
  //                                    ^^^^ refers type; resolves types.ts:Pear
  return "peel" in fruit;
}

function eat(options: Defaults, handler: Handler, many: Apple[], pair: Tuple) {
  options.size.bite();
  //      ^^^^ resolves types.ts:size
  //           ^^^^ refers call; resolves types.ts:Apple.bite
  handler(apple, pair[1]!).then;
  // <- refers call; resolves types.ts:51
  many[0].bite();
  //      ^^^^ refers call; resolves types.ts:Apple.bite
  for (const one of many) one.bite();
  //                          ^^^^ resolves types.ts:Apple.bite
  many.forEach((one) => one.bite());
  //                        ^^^^ resolves types.ts:Apple.bite
  each(many, (one) => one.bite());
  //                      ^^^^ resolves types.ts:Apple.bite
  pair[0].bite();
  //      ^^^^ resolves types.ts:Apple.bite
  (<Apple>unknown()).bite();
  // ^^^^ refers type; resolves types.ts:Apple
  //                 ^^^^ resolves types.ts:Apple.bite
  const checked = { a: apple } satisfies Record<string, Apple>;
  //                                                    ^^^^^ refers type; resolves types.ts:Apple
  checked.a.bite;
  //      ^ resolves types.ts:eat.a
}

async function wait(handler: Handler) {
  const got = await handler(apple);
  got.bite();
  //  ^^^^ refers call; resolves types.ts:Apple.bite
  const [first] = await Promise.all([handler]);
}

function each(items: Apple[], visit: (item: Apple, index: number) => void): void;
//       ^^^^ defines function each
function each(items: any, visit: any) {}
declare function unknown(): unknown;
//               ^^^^^^^ defines function unknown

// A type and a value of one name are told apart by their use.
interface Level {
  deep: Level;
}
const Level = { make: (): Level => null! };
//                        ^^^^^ refers type; resolves types.ts:Level
Level.make().deep;
// <- refers read; resolves types.ts:93
//           ^^^^ resolves types.ts:Level.deep
function shadow(Apple: string, fruit: Apple) {
  //                                  ^^^^^ refers type; resolves types.ts:14
  return Apple;
  //     ^^^^^ resolves types.ts:98
}
