// A disk that fails: loaded before the C library into a process under test. While the file HOOKGATE_FAULTS_WHILE is there, of the writes
// and syncs to files whose path holds HOOKGATE_FAULTS_IN every second fails, or is done by half.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_uint calls;

static int ill(int file) {
    const char *in = getenv("HOOKGATE_FAULTS_IN"), *during = getenv("HOOKGATE_FAULTS_WHILE");
    char link[64], path[4096];
    if (!in || !during || access(during, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, in) != NULL;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    if (ill(file)) {
        switch (calls++ % 4) {
        case 0: errno = EIO; return -1;
        case 2: return real(file, bytes, (count + 1) / 2, offset);
        }
    }
    return real(file, bytes, count, offset);
}

static int sync_with(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (ill(file) && calls++ % 4 == 1) {
        errno = EIO;
        return -1;
    }
    return real(file);
}

int fdatasync(int file) { return sync_with("fdatasync", file); }
int fsync(int file) { return sync_with("fsync", file); }
