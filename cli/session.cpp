#include "cli/session.h"

namespace meshtrust::cli {

void Session::answer(const base::Json& document, const std::string& text) const {
  if (output == Output::kJson) {
    console().print(base::pretty(document));
  } else if (output == Output::kYaml) {
    console().print(to_yaml(document));
  } else {
    console().print(text);
  }
}

}  // namespace meshtrust::cli
