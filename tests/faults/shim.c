/* A disk that fails, between the daemon and the real one; loaded with LD_PRELOAD by the tests of this
 * folder. It stands in front of the files whose path begins with FAULTS_PREFIX, `-shm` files excepted:
 * those are shared memory, and SQLite makes them anew after a crash.
 *
 * Every call that changes such a file is numbered and written to FAULTS_DIR/calls. Call number FAULTS_AT
 * meets with FAULTS_KIND:
 *
 *   eio, enospc   it fails with that error
 *   short         a write takes half of its bytes; what follows meets with ENOSPC where FAULTS_LASTS is `on`
 *   crash         the process ends at once
 *
 * FAULTS_LASTS says whether that is `once` or stays `on`. The test can also act while the daemon runs, by
 * making files in FAULTS_DIR: `full` lets every write fail with ENOSPC, `lie` makes syncs say yes and do
 * nothing, `fail-sync` lets the next one fail with EIO, `crash` ends the process at its next call.
 *
 * What would be left after a power loss is in FAULTS_DIR/disk: a file for each inode with its bytes as of
 * its last sync, and `names`, the folder's entries as of its own last sync. Pages that a failed sync did
 * not write stay unwritten until they are written to again, as Linux has it: a later sync of the same file
 * succeeds without them. `lost` in FAULTS_DIR/disk keeps that true for the next process.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS_MAX = 65536, FILES_MAX = 256, PAGES_MAX = 65536, PAGE = 4096, DIRECTORY = -1, CRASHED = 137 };

struct file {
    ino_t inode;
    unsigned char is_lost[PAGES_MAX]; /* by page: a sync of it failed, and nobody wrote to it since */
};

static struct file *files[FILES_MAX];
static int file_of[FDS_MAX]; /* 0 none, DIRECTORY, else 1 + index into `files` */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *prefix, *folder, *kind;
static char directory[4096];
static const char *base;
static int is_ready, stays_on, has_failed, calls_fd = -1;
static long calls, fails_at;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void fatal(const char *what) {
    fprintf(stderr, "shim: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static char *in_folder(char *path, const char *name) {
    snprintf(path, 4096, "%s/%s", folder, name);
    return path;
}

static int is_there(const char *name) {
    char path[4096];
    return access(in_folder(path, name), F_OK) == 0;
}

static int is_ours(const char *path) {
    size_t length = strlen(path);
    return is_ready && strncmp(path, prefix, strlen(prefix)) == 0 &&
           !(length > 4 && strcmp(path + length - 4, "-shm") == 0);
}

/* The disk -------------------------------------------------------------------------------------- */

static int open_image(ino_t inode) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "disk/%lu", (unsigned long)inode);
    int fd = REAL(open)(in_folder(path, name), O_RDWR | O_CREAT, 0600);
    if (fd < 0) fatal(path);
    return fd;
}

/* Calls `page` for each page of `fd` that its image has not. */
static void each_difference(int fd, int image, struct file *file, void (*page)(struct file *, int, off_t, char *, ssize_t)) {
    char now[PAGE], then[PAGE];
    for (off_t at = 0;; at += PAGE) {
        ssize_t got = pread(fd, now, PAGE, at), had = pread(image, then, PAGE, at);
        if (got < 0 || had < 0 || at / PAGE >= PAGES_MAX) fatal("compare a file with its image");
        if (got == 0) return;
        if (got != had || memcmp(now, then, (size_t)got) != 0) page(file, image, at, now, got);
    }
}

static void mark_lost(struct file *file, int image, off_t at, char *bytes, ssize_t count) {
    (void)image, (void)bytes, (void)count;
    file->is_lost[at / PAGE] = 1;
}

static void keep(struct file *file, int image, off_t at, char *bytes, ssize_t count) {
    if (!file->is_lost[at / PAGE] && REAL(pwrite)(image, bytes, (size_t)count, at) != count) fatal("write an image");
}

static void sync_file(int fd, struct file *file) {
    struct stat state;
    int image = open_image(file->inode);
    each_difference(fd, image, file, keep);
    if (fstat(fd, &state) != 0 || REAL(ftruncate)(image, state.st_size) != 0) fatal("cut an image");
    REAL(close)(image);
}

static void lose(int fd, struct file *file) {
    char path[4096];
    int image = open_image(file->inode);
    each_difference(fd, image, file, mark_lost);
    REAL(close)(image);
    REAL(close)(REAL(open)(in_folder(path, "disk/lost"), O_WRONLY | O_CREAT, 0600));
}

static void sync_directory(void) {
    char path[8192], fresh[4096];
    FILE *names = fopen(in_folder(fresh, "disk/names.new"), "w");
    DIR *entries = opendir(directory);
    if (!names || !entries) fatal("list the folder");
    for (struct dirent *entry; (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (is_ours(path)) fprintf(names, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    }
    closedir(entries);
    fclose(names);
    rename(fresh, in_folder(path, "disk/names"));
}

/* Takes what is there at first for written: it was before this disk was. */
static void adopt(void) {
    char path[8192];
    DIR *entries = opendir(directory);
    if (!entries) return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (!is_ours(path)) continue;
        int fd = REAL(open)(path, O_RDONLY);
        static struct file whole;
        whole.inode = entry->d_ino;
        sync_file(fd, &whole);
        REAL(close)(fd);
    }
    closedir(entries);
    sync_directory();
}

__attribute__((constructor)) static void begin(void) {
    char path[4096];
    prefix = getenv("FAULTS_PREFIX");
    folder = getenv("FAULTS_DIR");
    if (!prefix || !folder) return;
    kind = getenv("FAULTS_KIND");
    const char *at = getenv("FAULTS_AT"), *lasts = getenv("FAULTS_LASTS");
    fails_at = at ? atol(at) : 0;
    stays_on = lasts && strcmp(lasts, "on") == 0;
    snprintf(directory, sizeof directory, "%s", prefix);
    *strrchr(directory, '/') = 0;
    base = strrchr(prefix, '/') + 1;
    mkdir(in_folder(path, "disk"), 0700);
    calls_fd = REAL(open)(in_folder(path, "calls"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (calls_fd < 0) fatal(path);
    is_ready = 1;
    if (!is_there("disk/names")) adopt();
}

/* The calls ------------------------------------------------------------------------------------- */

enum fault { NONE, FAILS, SHORT };

/* Numbers a call and says what becomes of it; sets errno for one that fails. */
static enum fault next(const char *call, const char *name, int is_write) {
    char line[512], marker[4096];
    enum fault fault = NONE;
    calls++;
    if (is_there("crash") || (calls == fails_at && strcmp(kind, "crash") == 0)) _exit(CRASHED);
    if (is_write && is_there("full")) {
        errno = ENOSPC;
        fault = FAILS;
    } else if (strcmp(call, "sync") == 0 && REAL(unlink)(in_folder(marker, "fail-sync")) == 0) {
        errno = EIO;
        fault = FAILS;
    } else if (fails_at && kind && (calls == fails_at || (calls > fails_at && stays_on))) {
        int is_short = strcmp(kind, "short") == 0;
        errno = strcmp(kind, "eio") == 0 ? EIO : ENOSPC;
        if (!is_short) fault = FAILS;
        else if (is_write) fault = has_failed ? FAILS : SHORT;
        if (fault != NONE) has_failed = 1;
    }
    int error = errno;
    int length = snprintf(line, sizeof line, "%ld %s %s%s\n", calls, call, name, fault == NONE ? "" : " FAULT");
    if (REAL(write)(calls_fd, line, (size_t)length) != length) fatal("write the list of calls");
    errno = error;
    return fault;
}

static int tracked(int fd) { return is_ready && fd >= 0 && fd < FDS_MAX ? file_of[fd] : 0; }

static void track(int fd, const char *path) {
    struct stat state;
    if (fd < 0 || fd >= FDS_MAX || fstat(fd, &state) != 0) return;
    int index = 0;
    while (index < FILES_MAX && files[index] && files[index]->inode != state.st_ino) index++;
    if (index == FILES_MAX) fatal(path);
    if (!files[index]) {
        files[index] = calloc(1, sizeof(struct file));
        files[index]->inode = state.st_ino;
        if (is_there("disk/lost")) {
            int image = open_image(state.st_ino), readable = REAL(open)(path, O_RDONLY);
            each_difference(readable, image, files[index], mark_lost);
            /* Nobody holds a lock on it yet, so closing it gives none away. */
            REAL(close)(readable);
            REAL(close)(image);
        }
    }
    file_of[fd] = index + 1;
}

static int open_ours(int at, const char *path, int flags, mode_t mode) {
    char image[4096], name[64];
    struct stat state;
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    if (is_new && next("create", path + (base - prefix), 0) == FAILS) return -1;
    int fd = REAL(openat)(at, path, flags, mode);
    if (fd >= 0 && is_new && fstat(fd, &state) == 0) {
        /* The number may have been another file's. */
        snprintf(name, sizeof name, "disk/%lu", (unsigned long)state.st_ino);
        REAL(unlink)(in_folder(image, name));
    }
    track(fd, path);
    if (fd >= 0 && is_new) memset(files[file_of[fd] - 1]->is_lost, 0, PAGES_MAX);
    return fd;
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
    if (is_ready && strcmp(path, directory) == 0) {
        int fd = REAL(openat)(at, path, flags, mode);
        if (fd >= 0 && fd < FDS_MAX) file_of[fd] = DIRECTORY;
        return fd;
    }
    if (!is_ours(path)) return REAL(openat)(at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = open_ours(at, path, flags, mode);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }

int close(int fd) {
    if (tracked(fd)) file_of[fd] = 0;
    return REAL(close)(fd);
}

static const char *name_of(int fd) {
    static char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    const char *name = strrchr(path, '/');
    return name ? name + 1 : path;
}

static void touch(struct file *file, off_t at, size_t count) {
    for (off_t page = at / PAGE; count > 0 && page <= (at + (off_t)count - 1) / PAGE; page++)
        if (page < PAGES_MAX) file->is_lost[page] = 0;
}

static ssize_t write_ours(int fd, const void *bytes, size_t count, off_t at, int moves) {
    pthread_mutex_lock(&lock);
    ssize_t written = -1;
    enum fault fault = next("write", name_of(fd), 1);
    if (fault != FAILS) {
        if (fault == SHORT) count = count > 1 ? count / 2 : count;
        if (moves) at = lseek(fd, 0, SEEK_CUR);
        touch(files[file_of[fd] - 1], at, count);
        written = moves ? REAL(write)(fd, bytes, count) : REAL(pwrite)(fd, bytes, count, at);
    }
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return tracked(fd) > 0 ? write_ours(fd, bytes, count, 0, 1) : REAL(write)(fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return tracked(fd) > 0 ? write_ours(fd, bytes, count, at, 0) : REAL(pwrite)(fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }

/* Of several pieces the first is written: callers go on with the rest, as after any short write. */
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return tracked(fd) > 0 ? write(fd, pieces->iov_base, pieces->iov_len) : REAL(writev)(fd, pieces, count);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
    return tracked(fd) > 0 ? pwrite(fd, pieces->iov_base, pieces->iov_len, at) : REAL(pwritev)(fd, pieces, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) { return pwritev(fd, pieces, count, at); }

static int sync_ours(int fd) {
    pthread_mutex_lock(&lock);
    int file = file_of[fd];
    int result = next("sync", name_of(fd), 0) == FAILS ? -1 : 0;
    int error = errno;
    if (result != 0 && file > 0) lose(fd, files[file - 1]);
    else if (result == 0 && !is_there("lie")) {
        if (file > 0) sync_file(fd, files[file - 1]);
        else sync_directory();
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int fd) { return tracked(fd) ? sync_ours(fd) : REAL(fsync)(fd); }
int fdatasync(int fd) { return tracked(fd) ? sync_ours(fd) : REAL(fdatasync)(fd); }

int ftruncate(int fd, off_t size) {
    if (tracked(fd) <= 0) return REAL(ftruncate)(fd, size);
    pthread_mutex_lock(&lock);
    int result = next("truncate", name_of(fd), 0) == FAILS ? -1 : REAL(ftruncate)(fd, size);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int unlink(const char *path) {
    if (!is_ours(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = access(path, F_OK) == 0 && next("unlink", path + (base - prefix), 0) == FAILS ? -1 : REAL(unlink)(path);
    pthread_mutex_unlock(&lock);
    return result;
}

int linkat(int from_at, const char *from, int at, const char *path, int flags) {
    if (!is_ours(path)) return REAL(linkat)(from_at, from, at, path, flags);
    pthread_mutex_lock(&lock);
    int result = next("link", path + (base - prefix), 0) == FAILS ? -1 : REAL(linkat)(from_at, from, at, path, flags);
    pthread_mutex_unlock(&lock);
    return result;
}
