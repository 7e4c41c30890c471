#pragma once

namespace meshtrust::base {

/// Prepares the process for handling keys; called first thing in `main`, once: no core dumps, not
/// traceable by other processes of the same user, umask 077, OpenSSL's secure heap, SIGPIPE
/// ignored. What the system does not grant is left out in silence: it is a second line of defence.
void harden_process();

}  // namespace meshtrust::base
