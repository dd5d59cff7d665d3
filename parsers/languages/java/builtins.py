"""The types of `java.lang`, which every Java file sees without an import, and what becomes of them."""

_NAMES = """
    AbstractMethodError Appendable ArithmeticException ArrayIndexOutOfBoundsException
    ArrayStoreException AssertionError AutoCloseable Boolean BootstrapMethodError Byte
    CharSequence Character Class ClassCastException ClassCircularityError ClassFormatError
    ClassLoader ClassNotFoundException ClassValue CloneNotSupportedException Cloneable
    Comparable Compiler Deprecated Double Enum EnumConstantNotPresentException Error
    Exception ExceptionInInitializerError Float FunctionalInterface IO IllegalAccessError
    IllegalAccessException IllegalArgumentException IllegalCallerException
    IllegalMonitorStateException IllegalStateException IllegalThreadStateException
    IncompatibleClassChangeError IndexOutOfBoundsException InheritableThreadLocal
    InstantiationError InstantiationException Integer InternalError InterruptedException
    Iterable LayerInstantiationException LinkageError Long MatchException Math Module
    ModuleLayer NegativeArraySizeException NoClassDefFoundError NoSuchFieldError
    NoSuchFieldException NoSuchMethodError NoSuchMethodException NullPointerException Number
    NumberFormatException Object OutOfMemoryError Override Package Process ProcessBuilder
    ProcessHandle Readable Record ReflectiveOperationException Runnable Runtime
    RuntimeException RuntimePermission SafeVarargs ScopedValue SecurityException
    SecurityManager Short StackOverflowError StackTraceElement StackWalker StrictMath String
    StringBuffer StringBuilder StringIndexOutOfBoundsException StringTemplate
    SuppressWarnings System Thread ThreadDeath ThreadGroup ThreadLocal Throwable
    TypeNotPresentException UnknownError UnsatisfiedLinkError UnsupportedClassVersionError
    UnsupportedOperationException VerifyError VirtualMachineError Void WrongThreadException
"""

BUILTINS = frozenset(_NAMES.split())

_NUMBER = ("Number", "Comparable", "java.io.Serializable")

# The widening, boxing and unboxing of the primitive types, and the supertypes of final classes.
CONVERSIONS = {
    "byte": ("short", "int", "long", "float", "double", "Byte", *_NUMBER),
    "short": ("int", "long", "float", "double", "Short", *_NUMBER),
    "char": ("int", "long", "float", "double", "Character", "Comparable", "java.io.Serializable"),
    "int": ("long", "float", "double", "Integer", *_NUMBER),
    "long": ("float", "double", "Long", *_NUMBER),
    "float": ("double", "Float", *_NUMBER),
    "double": ("Double", *_NUMBER),
    "boolean": ("Boolean", "Comparable", "java.io.Serializable"),
    "Byte": (*_NUMBER, "byte", "short", "int", "long", "float", "double"),
    "Short": (*_NUMBER, "short", "int", "long", "float", "double"),
    "Character": ("Comparable", "java.io.Serializable", "char", "int", "long", "float", "double"),
    "Integer": (*_NUMBER, "int", "long", "float", "double"),
    "Long": (*_NUMBER, "long", "float", "double"),
    "Float": (*_NUMBER, "float", "double"),
    "Double": (*_NUMBER, "double"),
    "Boolean": ("Comparable", "java.io.Serializable", "boolean"),
    "String": ("CharSequence", "Comparable", "java.io.Serializable"),
    "Class": (
        "java.lang.reflect.Type",
        "java.lang.reflect.GenericDeclaration",
        "java.lang.reflect.AnnotatedElement",
        "java.io.Serializable",
    ),
}
