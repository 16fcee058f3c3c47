// The choice between full sentences and the two kinds of pairs.
#include "objectives/instances.h"

#include "objectives/full_sentences.h"
#include "objectives/next_sentence.h"
#include "objectives/sentence_order.h"
#include "tensor/error.h"

namespace ink {

std::vector<Instance> make_instances(std::span<const TokenDocument> documents, PairTask task,
                                     const PairOptions& options, Draws& draws) {
  switch (task) {
    case PairTask::none: return full_sentences(documents, options.max_tokens, options.tokens);
    case PairTask::next_sentence: return next_sentence_pairs(documents, options, draws);
    case PairTask::sentence_order: return sentence_order_pairs(documents, options, draws);
    case PairTask::unasked: return consecutive_pairs(documents, options, draws);
  }
  fail("pairs: unknown task ", static_cast<int>(task));
}

}  // namespace ink
