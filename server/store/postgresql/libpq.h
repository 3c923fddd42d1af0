/*
 * libpq.h - PostgreSQL's client library, loaded when a database asks for it: with what it needs it
 * takes more memory than an idle server.
 */
#ifndef SERVER_STORE_POSTGRESQL_LIBPQ_H
#define SERVER_STORE_POSTGRESQL_LIBPQ_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/* What is used of it, without its prefix: PQclear is pq.clear. */
#define LIBPQ_FUNCTIONS(FUNCTION)                                                                  \
    FUNCTION(backendPID)                                                                           \
    FUNCTION(clear)                                                                                \
    FUNCTION(cmdStatus)                                                                            \
    FUNCTION(cmdTuples)                                                                            \
    FUNCTION(connectdbParams)                                                                      \
    FUNCTION(conninfo)                                                                             \
    FUNCTION(conninfoFree)                                                                         \
    FUNCTION(consumeInput)                                                                         \
    FUNCTION(db)                                                                                   \
    FUNCTION(enterPipelineMode)                                                                    \
    FUNCTION(errorMessage)                                                                         \
    FUNCTION(exitPipelineMode)                                                                     \
    FUNCTION(finish)                                                                               \
    FUNCTION(fname)                                                                                \
    FUNCTION(flush)                                                                                \
    FUNCTION(ftype)                                                                                \
    FUNCTION(freemem)                                                                              \
    FUNCTION(getResult)                                                                            \
    FUNCTION(getisnull)                                                                            \
    FUNCTION(getlength)                                                                            \
    FUNCTION(getvalue)                                                                             \
    FUNCTION(host)                                                                                 \
    FUNCTION(isBusy)                                                                               \
    FUNCTION(nfields)                                                                              \
    FUNCTION(notifies)                                                                             \
    FUNCTION(ntuples)                                                                              \
    FUNCTION(pipelineSync)                                                                         \
    FUNCTION(port)                                                                                 \
    FUNCTION(putCopyData)                                                                          \
    FUNCTION(putCopyEnd)                                                                           \
    FUNCTION(reset)                                                                                \
    FUNCTION(resultErrorField)                                                                     \
    FUNCTION(resultErrorMessage)                                                                   \
    FUNCTION(resultStatus)                                                                         \
    FUNCTION(sendPrepare)                                                                          \
    FUNCTION(sendQuery)                                                                            \
    FUNCTION(sendQueryParams)                                                                      \
    FUNCTION(sendQueryPrepared)                                                                    \
    FUNCTION(serverVersion)                                                                        \
    FUNCTION(setErrorVerbosity)                                                                    \
    FUNCTION(setNoticeProcessor)                                                                   \
    FUNCTION(setSingleRowMode)                                                                     \
    FUNCTION(setnonblocking)                                                                       \
    FUNCTION(socket)                                                                               \
    FUNCTION(status)                                                                               \
    FUNCTION(transactionStatus)

#define LIBPQ_MEMBER(name) __typeof__(PQ##name) *name;
struct libpq {
    LIBPQ_FUNCTIONS(LIBPQ_MEMBER)
};
extern struct libpq pq; /* after libpq_load */

/* Loads it, once. False and a message if it is not installed. Not from two threads. */
bool libpq_load(char *error, size_t error_size);

#endif
