// Writes down, in order, what a process does to the files below $WRITES_UNDER: preloaded, it stands before the C library.
//
// One record per event: kind, inode, offset, length of what follows (four little-endian 64-bit numbers), then the bytes
// written, or the path. A sync has two records, since it promises only what was written before it began. Written with
// one write() to a file opened with O_APPEND, so the order is one that all threads and processes agree on.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE, SYNC_BEGINS, SYNC_ENDS, CREATE, UNLINK, RENAME, MAKE_FOLDER };

static int trace = -1;
static const char *under;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    under = getenv("WRITES_UNDER");
    const char *to = getenv("WRITES_TO");
    if (under && to) trace = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_below(const char *path) { return under && !strncmp(path, under, strlen(under)); }

// Paths are absolute: the gateway's data directory is.
static int path_of(int fd, char *path) {
    char link[64] = "/proc/self/fd/", digits[16], *at = digits + sizeof digits;
    *--at = 0;
    do *--at = (char)('0' + fd % 10); while (fd /= 10);
    ssize_t length = readlink(strcat(link, at), path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static uint64_t inode(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_ino;
}

static void record(uint64_t kind, uint64_t ino, uint64_t offset, const void *bytes, uint64_t length) {
    uint64_t head[4] = {kind, ino, offset, length};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    int before = errno;
    if (writev(trace, parts, 2) != (ssize_t)(sizeof head + length)) abort();  // a trace with a hole proves nothing
    errno = before;
}

static int watched(int fd) {
    char path[PATH_MAX];
    return trace >= 0 && path_of(fd, path);
}

static void wrote(int fd, const void *bytes, ssize_t length, off64_t offset) {
    if (length > 0 && watched(fd)) record(WRITE, inode(fd), (uint64_t)offset, bytes, (uint64_t)length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    REAL(pwrite64);
    ssize_t done = real(fd, bytes, length, offset);
    wrote(fd, bytes, done, offset);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    ssize_t done = real(fd, bytes, length);
    if (done > 0 && watched(fd)) wrote(fd, bytes, done, lseek64(fd, 0, SEEK_CUR) - done);
    return done;
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    int failed = real(fd, length);
    if (!failed && watched(fd)) record(TRUNCATE, inode(fd), (uint64_t)length, "", 0);
    return failed;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

#define SYNC(name) \
    int name(int fd) { \
        REAL(name); \
        int is_watched = watched(fd); \
        uint64_t ino = inode(fd); \
        if (is_watched) record(SYNC_BEGINS, ino, 0, "", 0); \
        int failed = real(fd); \
        if (is_watched && !failed) record(SYNC_ENDS, ino, 0, "", 0); \
        return failed; \
    }
SYNC(fsync)
SYNC(fdatasync)

static void made(int fd, int existed) {
    char path[PATH_MAX];
    if (fd >= 0 && trace >= 0 && !existed && path_of(fd, path)) record(CREATE, inode(fd), 0, path, strlen(path));
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        int existed = !(flags & O_CREAT) || !access(path, F_OK); \
        int fd = real(path, flags, mode); \
        made(fd, existed); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

int unlink(const char *path) {
    REAL(unlink);
    int failed = real(path);
    if (!failed && trace >= 0 && is_below(path)) record(UNLINK, 0, 0, path, strlen(path));
    return failed;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    int failed = real(from, to);
    if (!failed && trace >= 0 && is_below(from)) {
        char both[2 * PATH_MAX];
        size_t first = strlen(from) + 1;
        memcpy(both, from, first);
        strcpy(both + first, to);
        record(RENAME, 0, 0, both, first + strlen(to));
    }
    return failed;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    int failed = real(path, mode);
    struct stat found;
    if (!failed && trace >= 0 && is_below(path) && !stat(path, &found))
        record(MAKE_FOLDER, found.st_ino, 0, path, strlen(path));
    return failed;
}
