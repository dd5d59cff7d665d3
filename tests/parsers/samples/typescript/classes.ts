// Classes with everything TypeScript adds to them.

interface Named {
  //      ^^^^^ defines interface Named
  readonly name: string;
  //       ^^^^ defines field Named.name
  greet?(other: Named): Greeting;
  // <- defines method Named.greet
  //            ^^^^^ refers type; resolves classes.ts:Named
  //                    ^^^^^^^^ refers type; resolves classes.ts:Greeting
}

interface Loud extends Named {
  //                   ^^^^^ refers base; resolves classes.ts:Named
  shout(): void;
}

type Greeting = { text: string; times(): Count };
//   ^^^^^^^^ defines type_alias Greeting
//                ^^^^ defines field text
//                              ^^^^^ defines method times
//                                       ^^^^^ refers type; resolves classes.ts:Count
type Count = number;

function logged(target: unknown) {}

@logged
// <- refers nothing
//^^^^^ refers decorator; resolves classes.ts:logged
abstract class Person<T extends Named = Loud> implements Named {
  //           ^^^^^^ defines class Person
  //                  ^ defines type_parameter T
  //                            ^^^^^ refers type; resolves classes.ts:Named
  //                                    ^^^^ refers type; resolves classes.ts:Loud
  //                                                     ^^^^^ refers interface; resolves classes.ts:Named
  static count: Count = 0;
  //     ^^^^^ defines field Person.count
  protected friend!: T;
  //        ^^^^^^ defines field Person.friend
  //                 ^ refers type; resolves classes.ts:30

  constructor(
    public name: string,
    private readonly age?: Count,
    //                     ^^^^^ refers type; resolves classes.ts:Count
    @logged plain = 1,
    //      ^^^^^ defines parameter plain
  ) {
    this.age;
    //   ^^^ resolves classes.ts:Person.age
    age;
    // <- refers read; resolves classes.ts:44
  }

  abstract speak(): Greeting;
  //       ^^^^^ defines method Person.speak

  find(key: string): Person<T>;
  find(key: number): Person<T>;
  find(key: any) {
    // <- defines method Person.find
    return this;
  }

  greet(this: Student, other: Named) {
    //        ^^^^^^^ refers type; resolves classes.ts:Student
    this.study().text;
    //   ^^^^^ refers call; resolves classes.ts:Student.study
    //           ^^^^ resolves classes.ts:text
    return other.greet!(other);
    //           ^^^^^ refers call; resolves classes.ts:Named.greet
  }
}

class Student extends Person<Loud> {
  //                  ^^^^^^ refers base; resolves classes.ts:Person
  //                         ^^^^ refers type; resolves classes.ts:Loud
  @logged
  //^^^^^ refers decorator; resolves classes.ts:logged
  speak() {
    this.friend.greet;
    //   ^^^^^^ resolves classes.ts:Person.friend
    //          ^^^^^ refers read; resolves classes.ts:Named.greet
    return this.study();
  }

  study(): Greeting {
    return null as any;
  }

  override find = (key: any) => this;
  //       ^^^^ defines method Student.find
}

declare const student: Student;
//            ^^^^^^^ defines constant student
student.speak().times();
//      ^^^^^ refers call; resolves classes.ts:Student.speak
//              ^^^^^ refers call; resolves classes.ts:times
Student.count;
//      ^^^^^ resolves classes.ts:Person.count
(student as Named).greet;
//          ^^^^^ refers type; resolves classes.ts:Named
//                 ^^^^^ resolves classes.ts:Named.greet
