/*
 * notify.h - reports the state of the service to systemd (sd_notify(3)), without its library.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

/* Sends lines such as "READY=1\nSTATUS=…"; does nothing when no service manager listens. */
void notify(const char *lines);
/* Microseconds within which WATCHDOG=1 must be repeated; 0: no watchdog. */
int64_t notify_watchdog_us(void);

#endif
