//! Invented patients.

use crate::random::SplitMix64;

const GIVEN: [&str; 20] = [
    "ALVA", "BIRK", "CORA", "DANE", "ELKE", "FINN", "GRETA", "HUGO", "INES", "JORN", "KAIA", "LEIF", "MAREN", "NILS",
    "ODA", "PER", "RUNA", "SVEN", "TILDA", "UNO",
];
const FAMILY: [&str; 10] = [
    "ASPENWALL",
    "BROOKMERE",
    "CINDERFORD",
    "DUNWICKE",
    "EASTHOLLOW",
    "FERNSBY",
    "GLASSWATER",
    "HOLLOWAY-TEST",
    "IRONGATE",
    "JUNIPERLY",
];

/// A fictitious patient: every field is invented from the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// `FAMILY^GIVEN`.
    pub name: String,
    /// `ZZ-` and six digits.
    pub id: String,
    /// Date of birth, `yyyy-mm-dd`.
    pub birth: String,
    /// Date of the film, `yyyy-mm-dd`.
    pub exam: String,
    /// `F` or `M`.
    pub sex: &'static str,
    /// Number of the order.
    pub accession: String,
}

impl Patient {
    /// The patient of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed ^ 0x5A17_C0DE);
        let family = FAMILY[random.below(FAMILY.len() as u32) as usize];
        let given = GIVEN[random.below(GIVEN.len() as u32) as usize];
        let date = |first: u32, years: u32, random: &mut SplitMix64| {
            format!("{:04}-{:02}-{:02}", first + random.below(years), 1 + random.below(12), 1 + random.below(28))
        };
        Self {
            name: format!("{family}^{given}"),
            id: format!("ZZ-{:06}", random.below(1_000_000)),
            birth: date(1930, 80, &mut random),
            exam: date(2019, 7, &mut random),
            sex: ["F", "M"][random.below(2) as usize],
            accession: format!("A{:08}", random.below(100_000_000)),
        }
    }

    /// The text on the film.
    pub(super) fn lines(&self) -> [String; 4] {
        [
            format!("NAME: {}", self.name.replace('^', ", ")),
            format!("ID: {}", self.id),
            format!("BIRTH DATE: {}", self.birth),
            format!("EXAM DATE: {}", self.exam),
        ]
    }
}
