#pragma once

#include "mesh/check.h"

// Checks about what workloads present and trust, as their proxies told. They prove what is and stop
// no change: a workload renews by itself, in its own time. Each is judged for the time at which it
// was asked, because its certificate is another one hours later.

namespace meshtrust::mesh {

void check_workloads_told(const CheckSubject& subject, Answer& answer);
void check_workloads_renew(const CheckSubject& subject, Answer& answer);
void check_workloads_moved(const CheckSubject& subject, Answer& answer);
void check_workload_roots(const CheckSubject& subject, Answer& answer);
void check_workloads_accepted(const CheckSubject& subject, Answer& answer);

}  // namespace meshtrust::mesh
