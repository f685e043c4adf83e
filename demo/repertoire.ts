/**
 * What is on: the genres of the season with their titles, usual hours, and the zones of their venues.
 * All people, companies and clubs are invented; plays and operas are classics.
 *
 * @module
 */

import { draw, pick } from "./random.ts";

/** The zones of a kind of venue: the first `standing` have no numbered seats. */
export interface Venue {
  readonly standing: number;
  readonly zones: readonly string[];
}

/** A kind of event. Times are minutes after midnight, lengths are minutes. */
export interface Genre {
  readonly venues: readonly Venue[];
  readonly startsAt: readonly number[];
  readonly lasts: readonly number[];
  title(hash: number): string;
}

const CLUB: Venue = {
  standing: 5,
  zones: [
    ...["Pista", "General", "Front stage", "Anticipada", "Última hora", "Altillo", "Mesa VIP"],
    ...["Mesa alta", "Sofá", "Barra reservada", "Balcón", "Backstage"],
  ],
};
const ARENA: Venue = {
  standing: 2,
  zones: [
    ...["Pista", "Golden circle", "Grada baja", "Grada alta", "Tribuna norte", "Tribuna sur"],
    ...["Lateral izquierdo", "Lateral derecho", "Fondo", "Palco", "Accesible"],
    ...["Visibilidad reducida"],
  ],
};
const THEATRE: Venue = {
  standing: 0,
  zones: [
    ...["Platea", "Anfiteatro", "Palco", "Segundo anfiteatro", "Platea lateral"],
    ...["Palco de honor", "Paraíso", "Tribuna", "Proscenio", "Delantera de anfiteatro"],
    ...["Movilidad reducida", "Visión parcial"],
  ],
};
const OPERA_HOUSE: Venue = {
  standing: 1,
  zones: [
    ...["Galerie – Stehplatz", "Parkett", "1. Rang", "2. Rang", "3. Rang", "Proszeniumsloge"],
    ...["Mittelloge", "Seitenloge", "Balkon", "Galerie Mitte", "Galerie Seite", "Rollstuhlplatz"],
  ],
};
const HALL: Venue = {
  standing: 1,
  zones: [
    ...["Entrada libre de pie", "Adultos", "Niños < 12", "Familia 2 + 2", "Mayores de 65"],
    ...["Grupo", "Fila 1", "Filas 2 a 5", "Filas 6 a 12", "Fondo de sala", "Accesible"],
    ...["Acompañante"],
  ],
};

/** A ground with hundreds of zones, one for each sector. */
export const STADIUM: Venue = {
  standing: 0,
  zones: Array.from({ length: 400 }, (_, index) => `Sector ${101 + index}`),
};

const CITIES = [
  ...["Madrid", "Valencia", "Bilbao", "Sevilla", "Málaga", "A Coruña", "Lisboa", "Porto"],
  ...["Paris", "Lyon", "Berlin", "München", "London", "Dublin", "Milano", "København"],
  ...["Kraków", "Αθήνα"],
];
const ARTISTS = [
  ...["Los Faroles", "Nora Vidal", "The Paper Lanterns", "Salt & Ember", "Irmãos da Maré"],
  ...["Zoë Lindqvist", "Cuarteto Añil", "Marée Basse", "Orkester Nordlys", "Северный ветер"],
  ...["東京夜曲楽団", "Glass Orchard", "Tomás Urrutia", "Le Petit Tonnerre", "Vinyl Harbour"],
  ...["Czarna Wisła", "Μελωδία", "Mónica Sanjuán"],
];
const TOURS = [
  ...["en concierto", "Gira de otoño", "Unplugged", "Mediterráneo Tour", "Twenty Years On"],
  ...["La última noche", "Live & Acoustic", "Todo o nada", "Midnight Sessions", "Entre amigos"],
  ...["Big Band", "Chapitre II"],
];
const PLAYS = [
  ...["Hamlet", "La vida es sueño", "Bodas de sangre", "The Cherry Orchard"],
  ...["Le Malade imaginaire", "Don Juan Tenorio", "Antigone", "Fuenteovejuna"],
  ...["A Doll's House", "Вишнёвый сад", "Luces de bohemia", "The Importance of Being Earnest"],
  ...["Der zerbrochne Krug", "La Celestina", "Twelfth Night", "Faust"],
];
const COMPANIES = [
  ...["Teatro del Puente", "Compañía La Espiga", "Northgate Players", "Les Tréteaux"],
  ...["Bühne 21", "Ensemble Atlántida", "Second Lamp", "La Rueda", "Театр на Набережной"],
  ...["Teatro da Ribeira"],
];
const OPERAS = [
  ...["La traviata", "Carmen", "Die Zauberflöte", "Der fliegende Holländer", "Евгений Онегин"],
  ...["Tosca", "Il barbiere di Siviglia", "Rusalka", "Così fan tutte", "La bohème", "Fidelio"],
  ...["Aida", "Les Troyens"],
];
const CLUBS = [
  ...["Atlético Ribera", "Real Costa", "CD Alameda", "Unión Sierra", "Deportivo Faro"],
  ...["SD Nervión Norte", "CF Las Viñas", "Racing del Río", "UD Molinos", "Peñarrubia FC"],
  ...["CE Marina", "Sporting Olivar"],
];
const COMEDIANS = [
  ...["Ana Belda", "Chema Rubio", "Priya & Tom", "Íñigo Lasa", "Greta Holm", "Los Sin Guion"],
  ...["Dani Peral"],
];
const COMEDY_SHOWS = [
  ...["Nada personal", "Work in Progress", "Lo que surja", "¿Y tú de quién eres?", "Late Show"],
  ...["Terapia de grupo", "Offline", "Made in Home"],
];
const FAMILY_SHOWS = [
  ...["El bosque dormido", "Circo de papel", "Peter & the Wolf", "La ratita valiente"],
  ...["Dinosaurios en la ciudad", "Science is Fun!", "El gran baile de las sombras"],
  ...["Pinocchio", "ピーターとおおかみ"],
];
const TALKS = [
  ...["Visita nocturna al museo", "Cata a ciegas", "Planetarium: Black Holes"],
  ...["Taller de cerámica", "Poetry Slam", "Swan Lake – Ballet", "Flamenco íntimo"],
  ...["Candlelit Strings", "Exposición: Luz y sal", "Tango & Milonga"],
];

const clock = (hours: number, minutes = 0) => hours * 60 + minutes;

/** The genres, each as often as it is likely. */
export const GENRES: readonly Genre[] = [
  ...repeat(5, {
    venues: [CLUB, ARENA, ARENA],
    startsAt: [clock(19), clock(20), clock(20, 30), clock(21), clock(22)],
    lasts: [90, 105, 120, 150],
    title: (hash) =>
      `${pick(hash, 1, ARTISTS)} – ${pick(hash, 2, TOURS)} (${pick(hash, 3, CITIES)})`,
  }),
  ...repeat(4, {
    venues: [THEATRE],
    startsAt: [clock(17), clock(19, 30), clock(20), clock(20, 30)],
    lasts: [80, 100, 120, 145],
    title: (hash) => `${pick(hash, 1, PLAYS)} – ${pick(hash, 2, COMPANIES)}`,
  }),
  ...repeat(2, {
    venues: [OPERA_HOUSE],
    startsAt: [clock(18), clock(19), clock(19, 30)],
    lasts: [150, 180, 215],
    title: (hash) => `${pick(hash, 1, OPERAS)} – Ópera de ${pick(hash, 2, CITIES)}`,
  }),
  ...repeat(2, {
    venues: [ARENA],
    startsAt: [clock(14), clock(16, 15), clock(18, 30), clock(21)],
    lasts: [105, 120],
    title: (hash) => footballTitle(hash),
  }),
  ...repeat(3, {
    venues: [CLUB, HALL],
    startsAt: [clock(20), clock(21), clock(22, 30), clock(23, 59)],
    lasts: [60, 75, 90],
    title: (hash) => `${pick(hash, 1, COMEDIANS)}: ${pick(hash, 2, COMEDY_SHOWS)}`,
  }),
  ...repeat(2, {
    venues: [HALL, THEATRE],
    startsAt: [clock(11), clock(12), clock(16, 30), clock(18)],
    lasts: [50, 60, 75],
    title: (hash) => `${pick(hash, 1, FAMILY_SHOWS)} (${pick(hash, 2, CITIES)})`,
  }),
  ...repeat(2, {
    venues: [HALL],
    startsAt: [clock(10), clock(13), clock(17, 45), clock(19), clock(21, 30)],
    lasts: [60, 90, 120],
    title: (hash) => `${pick(hash, 1, TALKS)} – ${pick(hash, 2, CITIES)}`,
  }),
];

/**
 * The title of a football match between two different clubs.
 *
 * @example
 * ```ts
 * import { assertMatch } from "@std/assert";
 * assertMatch(footballTitle(7), /^.+ – .+, jornada \d+$/);
 * ```
 *
 * @param hash The hash of the base plan.
 * @returns For example `CD Alameda – Real Costa, jornada 12`.
 */
export function footballTitle(hash: number): string {
  const home = draw(hash, 1, CLUBS.length);
  const away = (home + 1 + draw(hash, 2, CLUBS.length - 1)) % CLUBS.length;
  return `${CLUBS[home]} – ${CLUBS[away]}, jornada ${1 + draw(hash, 3, 38)}`;
}

function repeat(times: number, genre: Genre): Genre[] {
  return Array.from({ length: times }, () => genre);
}
