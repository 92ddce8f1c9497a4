/* tests/bench/server.c - a registry that is as far away as it is told: a delay, a rate for each connection, and counts.
 *
 * Usage: bench_server ROOT [--delay-ms N] [--connect-ms N] [--rate-mb N] [--counters FILE]
 *
 * Serves the files below ROOT, which are laid out as the paths of a registry, and takes uploads: their bytes are counted
 * and thrown away (a file with a hole remembers how many there were), and nothing is hashed, so that the disk and the
 * processor are left to the program that is measured. Each answer is delayed by a round trip, a new connection by another.
 * Prints "port N", and ends with its standard input. */
#include "server.h"

#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES  (256 << 10)
#define BUFFER_BYTES (512 << 10)       /* of the kernel, so that what was sent is nearly what has arrived */

static void *serve_connection(void *arg)
{
    bench_conn     *c = arg;
    bench_counters *n = c->server->counters;
    uint64_t        open = ++n->open, most = n->most_open;
    bench_request   r;

    n->connections++;
    while (open > most && !atomic_compare_exchange_weak(&n->most_open, &most, open))
        continue;
    bench_wait_ms(c->server->connect_ms);
    while (bench_read_request(c, &r)) {
        n->requests++;
        if (!bench_serve(c, &r) || r.closes)
            break;
    }
    close(c->fd);
    n->open--;
    free(c);
    return NULL;
}

/* ---- the server ---- */

static void take_connection(const bench_server *s, int listener, const pthread_attr_t *attr)
{
    bench_conn *c = malloc(sizeof *c);
    int         yes = 1, bytes = BUFFER_BYTES;
    pthread_t   thread;

    if (c == NULL)
        abort();
    c->server = s;
    c->due_ns = c->at = c->have = 0;
    if ((c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        free(c);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (s->rate > 0)
        setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (pthread_create(&thread, attr, serve_connection, c) != 0)
        abort();
}

static int listen_somewhere(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t          len = sizeof a;
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
        perror("bench_server");
        exit(1);
    }
    printf("port %d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static void map_counters(bench_server *s, const char *path)
{
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (path != NULL && (fd < 0 || ftruncate(fd, sizeof *s->counters) < 0)) {
        perror(path);
        exit(1);
    }
    s->counters = mmap(NULL, sizeof *s->counters, PROT_READ | PROT_WRITE, fd < 0 ? MAP_SHARED | MAP_ANONYMOUS :
                       MAP_SHARED, fd, 0);
    if (s->counters == MAP_FAILED)
        exit(1);
}

static void take_options(bench_server *s, int argc, char **argv)
{
    static const struct option known[] = {{"delay-ms", 1, NULL, 'd'}, {"connect-ms", 1, NULL, 'c'},
                                          {"rate-mb", 1, NULL, 'r'}, {"counters", 1, NULL, 'n'}, {NULL, 0, NULL, 0}};
    const char *counters = NULL;
    int         o;

    while ((o = getopt_long(argc, argv, "", known, NULL)) != -1)
        switch (o) {
        case 'd': s->delay_ms = (unsigned)atoi(optarg); break;
        case 'c': s->connect_ms = (unsigned)atoi(optarg); break;
        case 'r': s->rate = atof(optarg) * 1e6; break;
        case 'n': counters = optarg; break;
        default: exit(2);
        }
    if (optind + 1 != argc)
        exit(2);
    s->root = argv[optind];
    map_counters(s, counters);
}

int main(int argc, char **argv)
{
    static bench_server s;
    pthread_attr_t      attr;
    struct pollfd       fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

    take_options(&s, argc, argv);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    fds[1].fd = listen_somewhere();
    signal(SIGPIPE, SIG_IGN);
    while (poll(fds, 2, -1) > 0 && fds[0].revents == 0)
        if (fds[1].revents != 0)
            take_connection(&s, fds[1].fd, &attr);
    _exit(0);                          /* connections are still being served */
}
