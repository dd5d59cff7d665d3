// Object literals and functions given to their members.

const helper = () => 1;
const base = {
  shared() {},
  // <- defines method shared
};

const api = {
  helper,
  // <- defines field helper
  // <- refers read; resolves objects.js:helper
  version: 1,
  // <- defines field version
  start() {
    // <- defines method start
    return this.stop(this.version);
    //          ^^^^ refers call; resolves objects.js:stop
    //                    ^^^^^^^ resolves objects.js:version
  },
  stop: function () {},
  // <- defines method stop
  arrow: () => this,
  // <- defines method arrow
  get state() {
    //^^^^^ defines property state
    return this.version;
  },
  nested: { deep() {} },
  //        ^^^^ defines method deep
  "quoted-name": 2,
  // <- defines field quoted-name
  ...base,
  // ^^^^ resolves objects.js:base
};

api.start();
//  ^^^^^ refers call; resolves objects.js:start
api.nested.deep();
//  ^^^^^^ refers read; resolves objects.js:nested
//         ^^^^ refers call; resolves objects.js:deep
api.shared();
//  ^^^^^^ resolves objects.js:shared
api["stop"]();
// <- refers read; resolves objects.js:api; resolves objects.js:stop

api.later = function later(x) {
  //^^^^^ defines method api.later
  return this.start(x);
  //          ^^^^^ resolves objects.js:start
};
api.later();
//  ^^^^^ refers call; resolves objects.js:api.later
api.fresh = helper;
//  ^^^^^ defines field fresh
api.fresh();
//  ^^^^^ refers call; resolves objects.js:fresh; resolves objects.js:helper

let handler;
handler = function () {};
// <- refers write; resolves objects.js:handler
//        ^^^^^^^^ refers nothing
handler();
// <- refers call; resolves objects.js:59; resolves objects.js:60

const table = { run: helper };
const { run, other = helper } = table;
//      ^^^ defines constant run
//      ^^^ resolves objects.js:run
run();
// <- refers call; resolves objects.js:67; resolves objects.js:helper
