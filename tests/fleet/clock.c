/* A machine's clock that is wrong by as many seconds as SKEW says; what counts seconds is right. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t skew(void)
{
    const char *said = getenv("SKEW");
    return said ? atol(said) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *moment)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, moment);
    if (!failed && clock == CLOCK_REALTIME)
        moment->tv_sec += skew();
    return failed;
}

int gettimeofday(struct timeval *moment, void *zone)
{
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    moment->tv_sec = found.tv_sec;
    moment->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *moment)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (moment)
        *moment = found.tv_sec;
    return found.tv_sec;
}
