"""The types every Java file sees without an import, and what the usual members of the JDK give."""

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

# Members by what they give; `*` stands for any type from elsewhere, so these are names whose result
# is the same wherever the JDK and most libraries use them.
_MEMBERS = {
    "int": """*.hashCode *.intValue *.size *.length *.compareTo *.compare *.ordinal *.indexOf
        *.lastIndexOf *.signum Integer.parseInt Integer.bitCount Character.getNumericValue""",
    "long": "*.longValue *.count Long.parseLong System.currentTimeMillis System.nanoTime",
    "short": "*.shortValue Short.parseShort",
    "byte": "*.byteValue Byte.parseByte",
    "float": "*.floatValue Float.parseFloat Float.intBitsToFloat",
    "double": "*.doubleValue Double.parseDouble Double.longBitsToDouble Math.random",
    "char": "*.charValue *.charAt Character.toUpperCase Character.toLowerCase",
    "boolean": """*.booleanValue *.equals *.equalsIgnoreCase *.isEmpty *.contains *.containsKey
        *.containsValue *.hasNext *.startsWith *.endsWith *.matches *.isPresent *.anyMatch
        *.allMatch *.noneMatch *.isInstance *.isAssignableFrom Boolean.parseBoolean *.isArray
        *.isInterface *.isEnum *.isAnonymousClass *.isPrimitive *.hasMoreElements Objects.equals""",
    "String": """*.toString *.getName *.getSimpleName *.getTypeName *.getCanonicalName *.name
        *.getMessage *.getLocalizedMessage String.concat String.copyValueOf String.format
        String.formatted String.indent String.intern String.join String.repeat String.replace
        String.replaceAll String.replaceFirst String.strip String.substring String.toLowerCase
        String.toUpperCase String.trim StringBuilder.substring StringBuffer.substring
        Integer.toHexString Integer.toBinaryString Long.toHexString System.getProperty
        System.getenv System.lineSeparator *.readLine *.group Objects.toString""",
    "Class": "*.getClass *.getEnclosingClass *.getComponentType *.getDeclaringClass",
    "self": """*.iterator *.stream *.parallelStream *.filter *.sorted *.distinct *.limit *.skip
        *.subList *.reversed *.toList *.listIterator *.findFirst *.findAny *.append
        *.insert *.descendingIterator *.tailSet *.headSet *.descendingSet *.abs *.negate *.or""",
    "element": """*.next *.nextElement *.orElse *.orElseThrow *.orElseGet *.poll *.pop *.getFirst
        *.getLast *.first *.last *.element *.take *.pollFirst *.pollLast *.peekFirst *.peekLast
        *.removeFirst *.removeLast *.previous *.cast *.newInstance *.join *.call *.getKey""",
    "value": "*.get *.getOrDefault *.put *.putIfAbsent *.computeIfAbsent *.merge *.getValue *.set",
    "keys": "*.keySet",
    "values": "*.values",
    "items": "*.entrySet",
    "owner": "*.valueOf *.of *.now *.from *.copyOf *.getInstance *.ofNullable",
}
BUILTIN_MEMBERS = {key: form for form, keys in _MEMBERS.items() for key in keys.split()}

_NUMBERS = {
    "Byte": "byte",
    "Short": "short",
    "Character": "char",
    "Integer": "int",
    "Long": "long",
    "Float": "float",
    "Double": "double",
}
_CONSTANTS = ("MIN_VALUE", "MAX_VALUE", "NaN", "POSITIVE_INFINITY", "NEGATIVE_INFINITY")
BUILTIN_FIELDS = {
    f"{type_}.{name}": primitive for type_, primitive in _NUMBERS.items() for name in _CONSTANTS
}
BUILTIN_FIELDS |= {
    "Boolean.TRUE": "Boolean",
    "Boolean.FALSE": "Boolean",
    "File.separator": "String",
}
