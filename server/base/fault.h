/*
 * fault.h - code for the build of tests/fault/, empty in every other build: the points at which the
 * process is killed, around everything that becomes durable, a clock for the event loop, which no
 * call may block for long, and steps of trainings that sleep.
 */
#ifndef SERVER_BASE_FAULT_H
#define SERVER_BASE_FAULT_H

#ifdef DENOISED_FAULTS
void fault_point(const char *name);
#define FAULT_POINT(name) fault_point(name)
double fault_thread_seconds(void); /* seconds of processor time */
/* Logs an error if this thread has computed for more than 10 ms since then. what, route: for
 * people. */
void fault_stay_over(double began, const char *what, const char *method, const char *route);
void fault_step(void);
#define FAULT_STEP()        fault_step()
#define FAULT_STAY_BEGINS() const double fault_stay_began = fault_thread_seconds()
#define FAULT_STAY_ENDS(what, method, route)                                                       \
    fault_stay_over(fault_stay_began, (what), (method), (route))
#else
#define FAULT_POINT(name)                    ((void)0)
#define FAULT_STEP()                         ((void)0)
#define FAULT_STAY_BEGINS()                  ((void)0)
#define FAULT_STAY_ENDS(what, method, route) ((void)sizeof(method), (void)sizeof(route))
#endif

#endif
