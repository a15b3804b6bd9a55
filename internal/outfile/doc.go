// Package outfile makes the files that a user asked tcplab to write: captures,
// events, reports. tcplab may be root by then, so these files are opened with the
// rights of whom they are for, and a link that somebody else planted leads nowhere.
//
// # Whose rights
//
// Where the process is root and sudo started it, files are opened with the rights
// of the user who called sudo: a thread takes that user's fsuid, fsgid and groups
// and puts its capabilities aside (credentials(7)), so the kernel checks every
// component of a path, and a new file belongs to that user. The owner of a file
// that exists never changes. Otherwise the process's own rights are used.
//
// # Which links
//
// A directory is shared if others can put names into it: it belongs neither to
// root nor to the user, or its group or everybody may write to it. A symbolic link
// in a shared directory is followed only if the user made it, and never for root.
// This is fs.protected_symlinks (sysctl/fs.rst of the kernel) for every shared
// directory, sticky or not, whatever the sysctl says.
//
// A hard link cannot be told from the file that it was made from. So a regular
// file in a shared directory is not truncated but replaced, which leaves its other
// names alone. A FIFO or device in a shared directory is opened only if it belongs
// to root or to the user (fs.protected_fifos).
//
// A directory is looked up once and held by its descriptor. What is done later,
// such as rotation, happens there, whatever has taken the directory's name.
//
// /dev/stdout, /dev/fd/N and the like name a descriptor that the process was given,
// and are opened as such if that descriptor can be written.
//
// # Concurrency
//
// A File has one user at a time, but for Close and Totals. No goroutine outlives
// the call that started it.
package outfile
