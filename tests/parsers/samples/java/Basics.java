// Every kind of declaration in one file.
package org.example.basics;

import java.util.ArrayList;
//               ^^^^^^^^^ refers import; resolves external java.util.ArrayList
import java.util.List;
import java.util.Map;
import static java.util.Objects.requireNonNull;

/** A shape. It has more to say. */
public abstract class Basics<T extends Comparable<T>> implements Named {
//                    ^^^^^^ defines class Basics
//                           ^ defines type_parameter T
//                                                ^ refers type; resolves Basics.java:11
//                                                               ^^^^^ refers interface; resolves Basics.java:Named
    private static final int LIMIT = 3, OTHER = LIMIT;
//                           ^^^^^ defines field Basics.LIMIT
//                                      ^^^^^ defines field Basics.OTHER
//                                              ^^^^^ refers read; resolves Basics.java:Basics.LIMIT
    protected final List<Part> parts = new ArrayList<>();
//                       ^^^^ refers type; resolves Basics.java:Basics.Part
    private String name;

    static { reset(); }
//           ^^^^^ refers call; resolves Basics.java:Basics.reset

    { name = "x"; }

    protected Basics(String name) {
//            ^^^^^^ defines constructor Basics.Basics
        this(name, LIMIT);
        // <- refers construct; resolves Basics.java:11; resolves Basics.java:39
        this.name = requireNonNull(name);
//           ^^^^ refers write; resolves Basics.java:Basics.name
//                  ^^^^^^^^^^^^^^ refers call; resolves external java.util.Objects.requireNonNull
//                                 ^^^^ refers read; resolves Basics.java:29
    }

    Basics(String name, int count) {}

    static void reset() {}

    @Override
    public String name() { return name; }
//                ^^^^ defines method Basics.name
//                                ^^^^ refers read; resolves Basics.java:Basics.name

    String size(int size) {
        return size > LIMIT ? name() : this.size(0);
//             ^^^^ refers read; resolves Basics.java:48
//                            ^^^^ refers call; resolves Basics.java:44
//                                          ^^^^ refers call; resolves Basics.java:Basics.size
    }

    abstract <R extends Named> R convert(R value, Map.Entry<String, ? extends Part> entry) throws Failure;
//            ^ defines type_parameter R
//                             ^ refers type; resolves Basics.java:55
//                                                ^^^ refers type; resolves external java.util.Map
//                                                                            ^^^^ resolves Basics.java:Basics.Part
//                                                                                                ^^^^^^^ refers type; resolves Basics.java:Failure

    static class Part {
//               ^^^^ defines class Basics.Part
        int weight;
        Part twin() { return this; }
    }

    class Inner {
        String owner() { return name + Basics.this.name() + Basics.super.toString(); }
//                              ^^^^ resolves Basics.java:Basics.name
//                                     ^^^^^^ refers type; resolves Basics.java:Basics
//                                                 ^^^^ refers call; resolves Basics.java:44
    }
}

interface Named {
//        ^^^^^ defines interface Named
    String PREFIX = "n";
//         ^^^^^^ defines field Named.PREFIX
    String name();
//         ^^^^ defines method Named.name
    default String title() { return PREFIX + name(); }
//                                  ^^^^^^ resolves Basics.java:Named.PREFIX
//                                           ^^^^ resolves Basics.java:Named.name
}

class Failure extends Exception {
//                    ^^^^^^^^^ refers base; resolves external java.lang.Exception
    Failure(String message) { super(message); }
}

enum Color implements Named {
    // <- refers nothing
    RED("r"),
    // <- defines enum_member Color.RED; refers construct
    GREEN("g") {
        @Override
        public String name2() { return "G" + code; }
//                    ^^^^^ defines method Color.name2
//                                           ^^^^ resolves Basics.java:Color.code
    };

    final String code;

    Color(String code) { this.code = code; }
    // <- defines constructor Color.Color

    String name2() { return code; }
}

record Point(int x, Basics.Part part) {
    // <- refers nothing
    Point {
        x = Math.abs(x);
//          ^^^^ resolves external java.lang.Math
//               ^^^ resolves external java.lang.Math.abs
    }

    int weight() { return part().weight + part.weight + x; }
//                        ^^^^ refers call; resolves Basics.java:111
//                               ^^^^^^ refers read; resolves Basics.java:Basics.Part.weight
//                                        ^^^^ refers read; resolves Basics.java:111
}

@interface Marker {
//         ^^^^^^ defines class Marker
    int value() default 1;
//      ^^^^^ defines method Marker.value
    Class<?>[] types() default {};
}

@Marker(value = 2, types = {Point.class})
//      ^^^^^ resolves Basics.java:Marker.value
//                          ^^^^^ refers type; resolves Basics.java:Point
class Marked {}
