#pragma once

#include "base/result.h"
#include "ledger/event.h"
#include "ledger/line.h"

#include <functional>
#include <string_view>

// Between an event and its line in a storage: the one place that knows how an event is written.

namespace meshtrust::ledger {

/// The line of `event`; who, when and its number are left to the caller.
Line line_of(const Event& event);

/// The certificate with this fingerprint, or null.
using FindCertificate = std::function<const pki::Certificate*(std::string_view fingerprint)>;

/// The event that `line` tells of. kCorrupt, without saying which line, for a name that no version
/// up to `format` knows, a certificate that is not there, and a detail that cannot be read. What a
/// line says beyond its event (a cluster where none is wanted) is passed over: its digest has been
/// checked.
base::Result<Event> event_of(const Line& line, Format format, const FindCertificate& find);

/// The first format in which `event` can be written.
Format format_of(const Event& event);

}  // namespace meshtrust::ledger
