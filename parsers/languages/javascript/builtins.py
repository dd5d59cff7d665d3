"""The names every script finds without an import, and what some members of theirs give back."""

LIBRARY = "<lib>"

_ECMASCRIPT = """AggregateError Array ArrayBuffer AsyncDisposableStack AsyncGenerator
    AsyncIterable AsyncIterableIterator AsyncIterator Atomics BigInt BigInt64Array
    BigUint64Array Boolean DataView Date DisposableStack Error EvalError FinalizationRegistry
    Float32Array Float64Array Function Generator Infinity Int16Array Int32Array Int8Array Intl
    Iterable IterableIterator Iterator JSON Map Math NaN Number Object Promise PromiseLike
    Proxy RangeError ReadonlyArray ReadonlyMap ReadonlySet ReferenceError Reflect RegExp Set
    SharedArrayBuffer String Symbol SyntaxError TypeError URIError Uint16Array Uint32Array
    Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet arguments decodeURI decodeURIComponent
    encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt
    undefined unescape"""

_TYPES = """ArrayConstructor ArrayLike Awaited BooleanConstructor Capitalize
    ConstructorParameters Exclude Extract FunctionConstructor ImportMeta InstanceType Lowercase
    MapConstructor NumberConstructor ObjectConstructor PromiseConstructor ProxyHandler
    SetConstructor StringConstructor SymbolConstructor TypedPropertyDescriptor NoInfer
    NonNullable Omit OmitThisParameter Parameters Partial Pick PropertyDescriptor PropertyKey
    Readonly Record RegExpExecArray RegExpMatchArray Required ReturnType TemplateStringsArray
    ThisParameterType ThisType Uncapitalize Uppercase"""

_PLATFORM = """AbortController AbortSignal Blob BroadcastChannel ByteLengthQueuingStrategy
    CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DOMParser
    DecompressionStream Document DocumentFragment DragEvent Element Event EventListener
    EventSource EventTarget File FileList FileReader FocusEvent FormData HTMLAnchorElement
    HTMLButtonElement HTMLCanvasElement HTMLDivElement HTMLElement HTMLFormElement
    HTMLImageElement HTMLInputElement HTMLOptionElement HTMLSelectElement HTMLSpanElement
    HTMLStyleElement HTMLTableElement HTMLTemplateElement HTMLTextAreaElement HTMLVideoElement
    Headers History Image IntersectionObserver KeyboardEvent Location MessageChannel
    MessageEvent MessagePort MouseEvent MutationObserver Navigator Node NodeList Notification
    Performance PointerEvent ReadableStream Request ResizeObserver Response SVGElement
    ShadowRoot Storage SubtleCrypto Text TextDecoder TextEncoder TouchEvent TransformStream URL
    URLSearchParams WebAssembly WebSocket Window Worker WritableStream XMLHttpRequest alert
    atob btoa caches cancelAnimationFrame clearImmediate clearInterval clearTimeout confirm
    console crypto customElements document fetch history localStorage location matchMedia
    navigator performance postMessage prompt queueMicrotask requestAnimationFrame
    requestIdleCallback screen self sessionStorage setImmediate setInterval setTimeout
    structuredClone window"""

_NODE = """Buffer NodeJS __dirname __filename exports global module process require"""

_TEST = """after afterAll afterEach before beforeAll beforeEach describe expect it jasmine jest
    suite test vi"""

BUILTINS = frozenset(f"{_ECMASCRIPT} {_TYPES} {_PLATFORM} {_NODE} {_TEST}".split())

# Modules that come with Node.js.
PLATFORM_MODULES = frozenset(
    """assert async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns domain events fs http http2 https inspector module net os path
    perf_hooks process punycode querystring readline repl sea sqlite stream string_decoder sys test
    timers tls trace_events tty url util v8 vm wasi worker_threads zlib""".split()
)

BUILTIN_MEMBERS = {
    "Array.pop": "element",
    "Array.shift": "element",
    "Array.at": "element",
    "Array.find": "element",
    "Array.findLast": "element",
    "Array.slice": "self",
    "Array.splice": "self",
    "Array.filter": "self",
    "Array.concat": "self",
    "Array.reverse": "self",
    "Array.toReversed": "self",
    "Array.sort": "self",
    "Array.toSorted": "self",
    "Array.values": "self",
    "Array.join": "String",
    "Map.get": "value",
    "Map.set": "self",
    "Map.values": "values",
    "Map.keys": "keys",
    "Map.entries": "items",
    "Set.add": "self",
    "Set.values": "self",
    "String.trim": "String",
    "String.toLowerCase": "String",
    "String.toUpperCase": "String",
    "String.replace": "String",
    "String.replaceAll": "String",
    "String.slice": "String",
    "String.substring": "String",
    "String.padStart": "String",
    "String.padEnd": "String",
    "String.repeat": "String",
    "String.concat": "String",
    "*.toString": "String",
}

_FORMS = {
    "Promise": "first",
    "PromiseLike": "first",
    "Awaited": "first",
    "Readonly": "first",
    "Partial": "first",
    "Required": "first",
    "NonNullable": "first",
    "NoInfer": "first",
    "Pick": "first",
    "Omit": "first",
    "Extract": "first",
    "Exclude": "first",
    "ThisType": "first",
    "ReadonlyArray": "=<lib>.Array",
    "ArrayLike": "=<lib>.Array",
    "Iterable": "=<lib>.Array",
    "Iterator": "=<lib>.Array",
    "IterableIterator": "=<lib>.Array",
    "AsyncIterable": "=<lib>.Array",
    "AsyncIterableIterator": "=<lib>.Array",
    "AsyncGenerator": "=<lib>.Array",
    "Generator": "=<lib>.Array",
    "ReadonlyMap": "=<lib>.Map",
    "ReadonlySet": "=<lib>.Set",
}
TYPE_FORMS = {f"{LIBRARY}.{name}": form for name, form in _FORMS.items()}

CALL_FORMS = {
    f"{LIBRARY}.Object.freeze": "same",
    f"{LIBRARY}.Object.seal": "same",
    f"{LIBRARY}.Object.assign": "same",
    f"{LIBRARY}.Object.create": "same",
    f"{LIBRARY}.Promise.resolve": "same",
    f"{LIBRARY}.structuredClone": "same",
    f"{LIBRARY}.Array.from": "sequence",
}
