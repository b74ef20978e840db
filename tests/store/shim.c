/* What a machine may do to a process, for tests that preload it: a wrong clock, a disk that fails.
 *
 * SHIM_CLOCK_AHEAD=90: the system's clock is so many seconds ahead.
 *
 * SHIM_FAIL_SYNC=PATH: while there is a file PATH, the next sync of any file fails with EIO and takes
 * PATH away. As Linux does since 4.13, each descriptor that was open at that moment is told once, by
 * its next sync, and one that is opened later is never told (see `errseq_t`).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096

static double ahead(void) {
    const char *given = getenv("SHIM_CLOCK_AHEAD");
    return given ? atof(given) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int outcome = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += (time_t)ahead();
    return outcome;
}

/* How many failures of its file a descriptor has been told, and of each file how many there were. */
static int told[MOST];
static struct { dev_t device; ino_t inode; int failures; } files[MOST];
static int file_count;

static int *failures_of(int descriptor) {
    struct stat found;
    if (fstat(descriptor, &found)) return NULL;
    for (int i = 0; i < file_count; i++)
        if (files[i].device == found.st_dev && files[i].inode == found.st_ino)
            return &files[i].failures;
    if (file_count == MOST) return NULL;
    files[file_count].device = found.st_dev;
    files[file_count].inode = found.st_ino;
    return &files[file_count++].failures;
}

static int opened(int descriptor) {
    if (descriptor >= 0 && descriptor < MOST) {
        int *failures = failures_of(descriptor);
        told[descriptor] = failures ? *failures : 0;
    }
    return descriptor;
}

#define OPEN(name, parameters, ...)                                        \
    int name parameters {                                                  \
        static int (*real) parameters;                                     \
        mode_t mode = 0;                                                   \
        if (!real) real = dlsym(RTLD_NEXT, #name);                         \
        if (flags & O_CREAT) {                                             \
            va_list rest;                                                  \
            va_start(rest, flags);                                         \
            mode = va_arg(rest, mode_t);                                   \
            va_end(rest);                                                  \
        }                                                                  \
        return opened(real(__VA_ARGS__, mode));                            \
    }

OPEN(open, (const char *path, int flags, ...), path, flags)
OPEN(open64, (const char *path, int flags, ...), path, flags)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, path, flags)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, path, flags)

static int synced(int descriptor, int outcome) {
    const char *wanted = getenv("SHIM_FAIL_SYNC");
    int *failures = wanted ? failures_of(descriptor) : NULL;
    if (!failures || descriptor >= MOST) return outcome;
    if (unlink(wanted) == 0) ++*failures;
    if (told[descriptor] == *failures) return outcome;
    told[descriptor] = *failures;
    errno = EIO;
    return -1;
}

int fsync(int descriptor) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    return synced(descriptor, real(descriptor));
}

int fdatasync(int descriptor) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    return synced(descriptor, real(descriptor));
}
