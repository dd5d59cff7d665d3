// Type parameters carried from receivers and arguments to results and fields.
package org.example.generics;

import java.util.List;
import java.util.Map;

class Box<T> {
    T content;
    List<T> all;

    T get() { return content; }

    Box<T> same() { return this; }
}

class PartBox extends Box<Part> {}

class Part {
    void run() {}
}

class Store {
    private final Map<String, Box<Part>> boxes = null;

    <R> R load(String text, Class<R> type) { return null; }

    static <E> E first(List<? extends E> values) { return values.get(0); }

    void use(Box<Part> box, PartBox own, List<Part> parts) {
        box.get().run();
//                ^^^ resolves Generics.java:Part.run
        box.content.run();
//                  ^^^ resolves Generics.java:Part.run
        box.same().same().get().run();
//                              ^^^ resolves Generics.java:Part.run
        box.all.get(0).run();
//                     ^^^ resolves Generics.java:Part.run
        own.get().run();
//                ^^^ resolves Generics.java:Part.run
        load("a", Part.class).run();
//                            ^^^ resolves Generics.java:Part.run
        first(parts).run();
//                   ^^^ resolves Generics.java:Part.run
        boxes.get("a").get().run();
//                           ^^^ resolves Generics.java:Part.run
        parts.forEach(part -> part.run());
//                                 ^^^ resolves Generics.java:Part.run
        var made = new Box<Part>();
//                         ^^^^ refers type; resolves Generics.java:Part
        made.get().run();
//                 ^^^ resolves Generics.java:Part.run
    }

    <T extends Part> void bounded(T value, T[] more) {
//             ^^^^ refers type; resolves Generics.java:Part
//                                ^ refers type; resolves Generics.java:54
        value.run();
//            ^^^ resolves Generics.java:Part.run
        more[0].run();
//              ^^^ resolves Generics.java:Part.run
    }
}
