"""The only code of Codeloom that runs git, and the only code that meets a tenant's repository.

The words. A *remote* is where a repository lives: an https URL, or, where the operator allows it,
a folder of this machine. A *target* is the commit that a ref of it means now. A *checkout* is a
scratch folder with a bare repository in it through which the objects of one commit can be read.

The laws:

1. Nothing is ever checked out. Paths are bytes from a tree, never names in our file system.
2. git runs with an empty environment and our own configuration. No configuration, hook, attribute,
   credential helper or proxy of the user, of the system or of a repository takes part.
3. What a remote says is never shown: standard error is capped and mapped to typed errors.
4. After the fetch no process can reach a network. An absent object stays absent.
5. Every process is limited in time, memory and bytes written, leads its own process group, and dies
   with the worker (`guard.py`).

How one commit is read: `remotes.parse` -> `targets.resolve` -> `fetch.open_checkout` ->
`tree.list_entries` -> `blobs.BlobReader`.

Decisions.

- The git command, not a library: libgit2 and dulwich followed a redirect to another address when
  tried, and have no partial clone.
- A folder of this machine is read in place, through a scratch repository whose
  `objects/info/alternates` names its objects. Cloning it over `file://` makes upload-pack run *in*
  that repository, under its configuration (CVE-2024-32004 and -32465 are of this kind), and copying
  54,138 files (300 MB) took 5.7 seconds of CPU before the first could be read; by alternates that
  is 0. What is read is objects only, under our configuration.
- Redirects are refused. A host that redirects could send git to an address inside our network;
  with the egress proxy, which judges each hop, they may be allowed. Until then addresses are not
  judged here at all: `Network.proxy` is the seam, and a deployment that lets strangers name hosts
  must confine this process's network.
"""
