// Losses between Gram matrices of two layers' hidden states X, Y (N, C), sequence by sequence; T is
// a sequence's length.
//
//   fsp, gram  G = Xᵀ Y / T, (C, C): how channels of one layer become those of another (Yim et al.
//              2017). Mean over sequences and elements of (G_S − G_T)²; C of both models is one.
//   nst, mmd   G = X Yᵀ / C, (T, T): which tokens resemble which; with X = Y the maximum mean
//              discrepancy with a polynomial kernel (Huang & Wang 2017). Σ (G_S − G_T)² / Σ T²;
//              each model has its own C.
//
// These are TextBrewer's losses with an inputs_mask. (Its PyPI package of version 0.2.1.post1
// divides masked nst by the padded length in place of C.)
#pragma once
#include "compress/losses/sequences.h"

namespace ink {

// Two layers of one model; without a second one, the first with itself.
struct LayerPair {
  Tensor first, second = {};
};

Tensor fsp_loss(const LayerPair& student, const LayerPair& teacher, const Sequences& sequences);
Tensor nst_loss(const LayerPair& student, const LayerPair& teacher, const Sequences& sequences);

}  // namespace ink
