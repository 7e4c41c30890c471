#pragma once

namespace meshtrust::base {

/// Prepares the process for handling keys; called first thing in `main`, once: no core dumps, not
/// traceable by other processes of the same user, umask 077, OpenSSL's secure heap, SIGPIPE
/// ignored. What the system does not grant is left out in silence: it is a second line of defence.
void harden_process();

/// Takes the variables out of the environment, for this process and for what it starts, by which
/// OpenSSL and libcurl would write down the secrets of TLS (SSLKEYLOGFILE) or load code and
/// settings from elsewhere (OPENSSL_CONF, OPENSSL_CONF_INCLUDE, OPENSSL_MODULES, OPENSSL_ENGINES).
/// Before the first thread and the first use of either; `harden_process` does it.
void forget_unsafe_variables();

}  // namespace meshtrust::base
