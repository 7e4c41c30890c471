#include "k8s/line_splitter.h"

namespace meshtrust::k8s {

bool LineSplitter::take(std::string_view part) {
  for (;;) {
    const std::size_t end = part.find('\n');
    const std::string_view more = part.substr(0, end);
    if (begun_.size() + more.size() > longest_) {
      overflowed_ = true;
      return false;
    }
    if (end == std::string_view::npos) {
      begun_ += more;
      return true;
    }
    if (begun_.empty()) {
      if (!more.empty() && !receive_(more)) return false;
    } else {
      begun_ += more;
      const bool goes_on = receive_(begun_);
      begun_.clear();
      if (!goes_on) return false;
    }
    part.remove_prefix(end + 1);
  }
}

}  // namespace meshtrust::k8s
