// Locals, patterns, lambdas, overloads and anonymous classes.
package org.example.statements;

import java.io.Closeable;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

class Statements {
    private final Map<String, Node> nodes = null;
    private Node[] array;

    void loops(List<Node> list, Node... rest) {
        for (Node node : list) {
            node.run();
//               ^^^ refers call; resolves Statements.java:Node.run
        }
        for (var node : list) node.run();
//                                 ^^^ resolves Statements.java:Node.run
        for (int i = 0, n = 3; i < n; i++) rest[i].run();
//                             ^ resolves Statements.java:20
//                                                 ^^^ resolves Statements.java:Node.run
        nodes.get("a").run();
//                     ^^^ resolves Statements.java:Node.run
        list.get(0).next.run();
//                  ^^^^ refers read; resolves Statements.java:Node.next
        for (Map.Entry<String, Node> entry : nodes.entrySet()) entry.getValue().run();
//                                                                              ^^^ resolves Statements.java:Node.run
        outer:
        while (true) { break outer; }
//                           ^^^^^ refers nothing
    }

    Object patterns(Object value) {
        if (value instanceof Node node && node.next != null) {
//                           ^^^^ refers type; resolves Statements.java:Node
//                                        ^^^^ resolves Statements.java:35
            node.run();
//               ^^^ resolves Statements.java:Node.run
        } else if (value instanceof Leaf node) {
            node.fall();
//               ^^^^ resolves Statements.java:Leaf.fall
        }
        if (!(value instanceof Leaf leaf)) return null;
        leaf.fall();
//           ^^^^ resolves Statements.java:Leaf.fall
        if (value instanceof Pair(Node left, Pair(var a, Leaf b))) {
//                           ^^^^ refers type; resolves Statements.java:Pair
            left.run();
//               ^^^ resolves Statements.java:Node.run
        }
        return switch (value) {
            case Leaf found -> found.fall();
//                                   ^^^^ resolves Statements.java:Leaf.fall
            case Pair(Node left, Object right) -> left.next;
//                                                ^^^^ resolves Statements.java:55
            default -> value;
        };
    }

    int labels(Kind kind) {
        switch (kind) {
            case SMALL:
                // <- refers nothing
                return 1;
            case BIG:
//               ^^^ refers read; resolves Statements.java:Kind.BIG
                return 2;
            default:
                return Kind.valueOf("BIG").ordinal();
        }
    }

    void resources() throws Exception {
        try (Leaf leaf = new Leaf(); Closeable other = leaf) {
//                           ^^^^ refers construct; resolves Statements.java:Leaf
            leaf.fall();
//               ^^^^ resolves Statements.java:Leaf.fall
        } catch (IllegalStateException | Broken broken) {
//                                       ^^^^^^ refers type; resolves Statements.java:Broken
            throw broken;
//                ^^^^^^ resolves Statements.java:79
        } finally {
            array[0].run();
//                   ^^^ resolves Statements.java:Node.run
        }
    }

    void lambdas() {
        Function<Node, Node> next = node -> node.next;
//                                          ^^^^ resolves Statements.java:90
        Runnable run = this::loops2;
//                           ^^^^^^ refers read; resolves Statements.java:Statements.loops2
        Function<String, Node> make = Node::new;
//                                    ^^^^ refers type; resolves Statements.java:Node
        Task task = (leaf, count) -> leaf.fall();
//                                        ^^^^ resolves Statements.java:Leaf.fall
        submit((leaf, count) -> { return leaf.fall(); });
//                                            ^^^^ resolves Statements.java:Leaf.fall
        new Node("x") {
//          ^^^^ refers construct; resolves Statements.java:Node
            @Override
            void run() { super.run(); label(); }
//                             ^^^ resolves Statements.java:Node.run
//                                    ^^^^^ refers call; resolves Statements.java:Node.label
        }.run();
        new Node("a").new Inner().touch();
//                        ^^^^^ refers construct; resolves Statements.java:Node.Inner
//                                ^^^^^ resolves Statements.java:Node.Inner.touch
    }

    void loops2() {}

    void label() {}

    void submit(Task task) {}

    void overloads(Leaf leaf, long number) {
        put("text");
        // <- resolves Statements.java:Statements.put
        put(1);
        // <- resolves Statements.java:135
        put(number);
        // <- resolves Statements.java:137
        put(leaf);
        // <- resolves Statements.java:139
        put(null, "a", "b");
        // <- resolves Statements.java:141
        put('a' + "b");
        // <- resolves Statements.java:133
    }

    void put(String value) {}

    void put(int value) {}

    void put(Long value) {}

    void put(Object value) {}

    void put(Object value, String... rest) {}
}

class Node {
    Node next;

    Node(String name) {
        this(name, 0);
    }

    private Node(String name, int depth) {}

    void run() {}

    void label() {}

    class Inner {
        void touch() {}
    }
}

class Leaf implements Closeable {
    Object fall() { return new Object(); }

    public void close() {}
}

record Pair(Object left, Object right) {}

class Broken extends RuntimeException {}

interface Task {
    Object apply(Leaf leaf, int count);
}

enum Kind { SMALL, BIG }
