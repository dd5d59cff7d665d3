// Names and the places that bind them: blocks, functions, hoisting, patterns.

const limit = 10;
//    ^^^^^ defines constant limit
let count = 0;
//  ^^^^^ defines variable count
early();
// <- refers call; resolves scopes.js:early

function early() {
  //     ^^^^^ defines function early
  count += limit;
  // <- refers write; resolves scopes.js:count
  //       ^^^^^ refers read; resolves scopes.js:limit
  if (count) {
    var hoisted = 1;
    //  ^^^^^^^ defines variable hoisted
    let inner = hoisted;
    //          ^^^^^^^ resolves scopes.js:16
    inner++;
    // <- refers write; resolves scopes.js:18
  }
  return hoisted;
  //     ^^^^^^^ resolves scopes.js:16
}

{
  const limit = 20;
  //    ^^^^^ defines constant limit
  console.log(limit);
  //      ^^^ resolves external <lib>.console.log
  //          ^^^^^ resolves scopes.js:28
}

const twice = (value, times = 2) => value * times;
//    ^^^^^ defines function twice
//             ^^^^^ defines parameter value
//                                  ^^^^^ resolves scopes.js:35
//                                          ^^^^^ resolves scopes.js:35

const factorial = function self(n) {
  //  ^^^^^^^^^ defines function factorial
  //                       ^^^^ defines constant self
  return n ? n * self(n - 1) : 1;
  //             ^^^^ refers call; resolves scopes.js:41; resolves scopes.js:factorial
};
self();
// <- resolves external <lib>.self

function* numbers(...rest) {
  //      ^^^^^^^ defines function numbers
  //                 ^^^^ defines parameter rest
  for (const item of rest) {
    //       ^^^^ defines constant item
    yield item;
    //    ^^^^ resolves scopes.js:53
  }
  for (const key in { a: 1 }) yield key;
  //                                ^^^ resolves scopes.js:58
}

function taking({ name, size: { width = limit, ...others }, list: [first, , third] }) {
  //              ^^^^ defines parameter name
  //                            ^^^^^ defines parameter width
  //              ^^^^ refers read
  //                                    ^^^^^ resolves scopes.js:limit
  return [name, width, others, first, third];
  //      ^^^^ resolves scopes.js:62
  //                           ^^^^^ resolves scopes.js:62
}

try {
  taking({});
  // <- refers call; resolves scopes.js:taking
} catch ({ message }) {
  //       ^^^^^^^ defines variable message
  message.trim();
  // <- resolves scopes.js:75
}

switch (count) {
  case limit: {
    // ^^^^^ resolves scopes.js:limit
    break;
  }
  default:
    let last = twice(1);
    //         ^^^^^ resolves scopes.js:twice
    last = numbers(last);
    // <- refers write; resolves scopes.js:87
}

outer: for (let i = 0; i < limit; i++) {
  // <- refers nothing
  if (i) continue outer;
  //              ^^^^^ refers nothing
}

const text = `total ${count} of ${early()}`;
//                    ^^^^^ resolves scopes.js:count
//                                ^^^^^ refers call; resolves scopes.js:early
String.raw`a${text}`;
//            ^^^^ resolves scopes.js:text
const { length: size, [text]: dynamic = limit } = text;
//      ^^^^^^ refers read; resolves external <lib>.String.length
//              ^^^^ defines constant size
//                            ^^^^^^^ defines constant dynamic
let left, right;
[left, right] = [right, left];
// <- refers nothing
// ^^^ refers write; resolves scopes.js:108
//               ^^^^^ refers read; resolves scopes.js:108
(function () {
  twice(left?.[right]?.(size));
  // <- refers call; resolves scopes.js:twice
  //    ^^^^ resolves scopes.js:108
  //                    ^^^^ resolves scopes.js:104
})();
