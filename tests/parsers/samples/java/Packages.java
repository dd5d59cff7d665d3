// Packages: the clause decides, not the folder.
// --- path: app/src/main/java/org/example/model/Base.java ---
package org.example.model;

public class Base {
    protected String title;

    protected static int counter;

    public Base() {}

    public Base copy() { return this; }

    public static Base create() { return new Base(); }

    public static class Builder {
//                      ^^^^^^^ defines class Base.Builder
        public Base build() { return new Base(); }
    }
}
// --- path: other/org/example/model/Helper.java ---
package org.example.model;

class Helper {
    Base make() { return Base.create().copy(); }
    // <- refers type; resolves app/src/main/java/org/example/model/Base.java:Base
//                            ^^^^^^ resolves app/src/main/java/org/example/model/Base.java:Base.create
//                                     ^^^^ resolves app/src/main/java/org/example/model/Base.java:Base.copy
}
// --- path: app/src/main/java/org/example/use/Use.java ---
package org.example.use;

import org.example.model.*;
import org.example.model.Base.Builder;
//                       ^^^^ refers import; resolves app/src/main/java/org/example/model/Base.java:Base
//                            ^^^^^^^ refers import; resolves app/src/main/java/org/example/model/Base.java:Base.Builder
import static org.example.model.Base.create;
//                                   ^^^^^^ refers import; resolves app/src/main/java/org/example/model/Base.java:Base.create
import static java.lang.Math.*;
import com.acme.Remote;

class Use extends Base {
//                ^^^^ refers base; resolves app/src/main/java/org/example/model/Base.java:Base
    Use() {
        super();
        title = "a" + counter;
        // <- refers write; resolves app/src/main/java/org/example/model/Base.java:Base.title
//                    ^^^^^^^ resolves app/src/main/java/org/example/model/Base.java:Base.counter
        copy().copy();
        // <- refers call; resolves app/src/main/java/org/example/model/Base.java:Base.copy
//             ^^^^ resolves app/src/main/java/org/example/model/Base.java:Base.copy
        super.copy();
//            ^^^^ resolves app/src/main/java/org/example/model/Base.java:Base.copy
    }

    Base build(Builder builder, Remote remote) {
//             ^^^^^^^ refers type; resolves app/src/main/java/org/example/model/Base.java:Base.Builder
        remote.send();
//             ^^^^ refers call; resolves external com.acme.Remote.send
        create();
        // <- refers call; resolves app/src/main/java/org/example/model/Base.java:Base.create
        return new Base.Builder().build();
//                      ^^^^^^^ refers construct; resolves app/src/main/java/org/example/model/Base.java:Base.Builder
//                                ^^^^^ resolves app/src/main/java/org/example/model/Base.java:Base.Builder.build
    }
}
