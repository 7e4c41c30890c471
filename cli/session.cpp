#include "cli/session.h"

namespace meshtrust::cli {

void Session::answer(const base::Json& document, const std::string& text) const {
  if (output == Output::kJson) {
    console().print_document(base::pretty(document));
  } else if (output == Output::kYaml) {
    console().print_document(to_yaml(document));
  } else {
    console().print(text);
  }
}

}  // namespace meshtrust::cli
