//! Max-min fair shares by weight, in integers: nobody gets more than it wants, and what one leaves goes
//! to the others. Knows no lease and no time.

/// What one holder wants of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// `u64::MAX`: as much as it can get.
    pub(super) wants: u64,
    /// From 1.
    pub(super) weight: u32,
}

/// The share of each claim, in their order; together at most `capacity`.
pub(super) fn fair_shares(capacity: u64, claims: &[Claim]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    // Whoever wants least for its weight is served first: what it leaves is there for the rest.
    order.sort_by(|left, right| {
        let (left, right) = (claims[*left], claims[*right]);
        let ours = u128::from(left.wants) * u128::from(right.weight);
        ours.cmp(&(u128::from(right.wants) * u128::from(left.weight)))
    });
    let mut weights: u64 = claims.iter().map(|claim| u64::from(claim.weight)).sum();
    let (mut left, mut shares) = (capacity, vec![0; claims.len()]);
    for index in order {
        let Claim { wants, weight } = claims[index];
        // A share is at most what's left, so it fits.
        let equal = u128::from(left) * u128::from(weight) / u128::from(weights.max(1));
        let share = wants.min(u64::try_from(equal).unwrap_or(left));
        shares[index] = share;
        left -= share;
        weights -= u64::from(weight);
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claims(wanted: &[(u64, u32)]) -> Vec<Claim> {
        wanted.iter().map(|(wants, weight)| Claim { wants: *wants, weight: *weight }).collect()
    }

    #[test]
    fn what_one_leaves_goes_to_the_others_by_weight() {
        let all = u64::MAX;
        assert_eq!(fair_shares(90, &claims(&[(all, 1), (all, 2)])), [30, 60]);
        assert_eq!(fair_shares(90, &claims(&[(10, 1), (all, 1), (all, 3)])), [10, 20, 60]);
        assert_eq!(fair_shares(90, &claims(&[(10, 1), (20, 1)])), [10, 20]);
        assert_eq!(fair_shares(0, &claims(&[(10, 1)])), [0]);
        assert_eq!(fair_shares(90, &[]), [0; 0]);
    }

    proptest! {
        /// Max-min: whoever got less than it wants has as much for its weight as anybody else.
        #[test]
        fn shares_are_fair_and_waste_nothing(
            capacity in prop_oneof![0u64..5_000_000, Just(u64::MAX - 1)],
            wanted in prop::collection::vec((prop_oneof![0u64..1_000_000, Just(u64::MAX)], 1u32..10), 1..12),
        ) {
            let claims = claims(&wanted);
            let shares = fair_shares(capacity, &claims);
            let sum: u128 = shares.iter().map(|share| u128::from(*share)).sum();
            let wants: u128 = claims.iter().map(|claim| u128::from(claim.wants)).sum();
            prop_assert!(sum <= u128::from(capacity));
            prop_assert!(sum + claims.len() as u128 >= wants.min(u128::from(capacity)), "{sum} of {capacity}");
            for (claim, share) in claims.iter().zip(&shares) {
                prop_assert!(*share <= claim.wants);
                if *share == claim.wants { continue }
                let per_weight = u128::from(*share) / u128::from(claim.weight);
                for (other, more) in claims.iter().zip(&shares) {
                    prop_assert!(u128::from(*more) / u128::from(other.weight) <= per_weight + 12);
                }
            }
        }
    }
}
