"""The process around Streamlit: routes, what guards them, and what runs beside them."""
