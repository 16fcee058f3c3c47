// tokenizer.json with its merges as lines: ["a", "b"] → "a b".
#include "nn/tokenizer_merges.h"

#include <algorithm>

#include "tensor/json.h"

namespace ink {

std::string with_merges_as_lines(std::string text, const std::string& source) {
  Json file = parse_json(text, source, {.long_integers = true});
  const Json* model = file.find("model");
  const Json* merges = model ? model->find("merges") : nullptr;
  const auto is_pair = [](const Json& merge) { return merge.is_array(); };
  if (!merges || !merges->is_array() || std::ranges::none_of(merges->items(), is_pair)) return text;
  Json lines = Json::make_array();
  for (const Json& merge : merges->items())
    lines.append(is_pair(merge) ? Json(merge.string(0) + ' ' + merge.string(1)) : merge);
  Json changed = *model;
  changed.set("merges", std::move(lines));
  file.set("model", std::move(changed));
  return file.to_string(2) + '\n';
}

}  // namespace ink
