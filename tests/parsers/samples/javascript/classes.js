// Classes, constructor functions and prototypes.

class Shape {
  //  ^^^^^ defines class Shape
  #sides = 0;
  // <- defines field Shape.sides
  static made = 0;
  //     ^^^^ defines field Shape.made

  constructor(name) {
    // <- defines constructor Shape.constructor
    this.name = name;
    //   ^^^^ defines field Shape.name
    this.#sides = 3;
    //   ^^^^^^ refers write; resolves classes.js:Shape.sides
    Shape.made++;
    //    ^^^^ refers write; resolves classes.js:Shape.made
  }

  get area() {
    //^^^^ defines property Shape.area
    return this.side() * this.#sides;
    //          ^^^^ refers call; resolves classes.js:Shape.side
    //                        ^^^^^^ resolves classes.js:Shape.sides
  }

  side() {
    // <- defines method Shape.side
    return [this].map((one) => one.name.length && this.name);
    //                                                 ^^^^ resolves classes.js:Shape.name
  }

  bound = () => this.side();
  // <- defines method Shape.bound
  //                 ^^^^ resolves classes.js:Shape.side

  static of(name) {
    //   ^^ defines method Shape.of
    return new this(name);
  }

  static {
    this.of("first").side();
    //   ^^ refers call; resolves classes.js:Shape.of
  }
}

class Circle extends Shape {
  //                 ^^^^^ refers base; resolves classes.js:Shape
  constructor() {
    super("circle");
    // <- refers call; resolves classes.js:Shape.constructor
  }

  side() {
    return super.side();
    //           ^^^^ refers call; resolves classes.js:Shape.side
  }

  ["computed" + 1]() {}
}

const circle = new Circle();
//                 ^^^^^^ refers construct; resolves classes.js:Circle
circle.bound();
//     ^^^^^ refers call; resolves classes.js:Shape.bound
circle.area;
//     ^^^^ refers read; resolves classes.js:Shape.area
circle.side();
//     ^^^^ resolves classes.js:Circle.side
circle.missing();
//     ^^^^^^^ resolves nothing

const Named = class Inner {
  //  ^^^^^ defines class Named
  //                ^^^^^ defines constant Inner
  again() {
    // <- defines method Named.again
    return new Inner();
    //         ^^^^^ refers construct; resolves classes.js:74; resolves classes.js:Named
  }
};
new Named().again();
//          ^^^^^ resolves classes.js:Named.again

const mixed = (Base) =>
  class extends Base {
    //          ^^^^ refers base
    extra() {}
    // <- defines method mixed.extra
  };
mixed(Shape);

function Point(x) {
  //     ^^^^^ defines function Point
  this.x = x;
  //   ^ defines field Point.x
  this.move = function () {
    // ^^^^ defines method Point.move
    return this.x;
    //          ^ resolves classes.js:Point.x
  };
}

Point.prototype.distance = function distance(other) {
  //            ^^^^^^^^ defines method Point.prototype.distance
  return this.x - other.x;
  //          ^ resolves classes.js:Point.x
};

Point.origin = new Point(0);
//    ^^^^^^ defines field Point.origin

const point = new Point(1);
//                ^^^^^ refers construct; resolves classes.js:Point
point.distance(Point.origin);
//    ^^^^^^^^ refers call; resolves classes.js:Point.prototype.distance
//                   ^^^^^^ refers read; resolves classes.js:Point.origin
point.move();
//    ^^^^ resolves classes.js:Point.move

function Line() {}
Line.prototype = {
  draw() {
    // <- defines method Line.draw
    return this.length();
    //          ^^^^^^ resolves classes.js:Line.length
  },
  length: function () {},
  // <- defines method Line.length
};
new Line().draw();
//         ^^^^ refers call; resolves classes.js:Line.draw
